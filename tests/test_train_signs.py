from __future__ import annotations

import numpy as np
import pytest

from crosscam.train.signs import camera_signs, cluster_signs, dead_cameras, loss_signs


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([], []),
        ([0, 0, 1, 1], []),
        ([0, 0, 1, 2], []),
        ([0, 0, 1, 1, -1, -1, -1, -1], []),
        ([-1, -1], ["every image is an outlier: raise inter.clusters.quantile or"]),
        ([0, 0, -1, -1, -1], ["60% of the images are outliers", "all images are one"]),
        ([0, 0, 0, 0], ["all images are one cluster: lower inter.clusters.quantile"]),
        ([0, 0, 0], []),
        ([0, 0, 0, 1], ["75% of the images are one cluster: lower inter.clusters"]),
        ([0, 1, 2, -1], ["every cluster is a single image: raise inter.clusters"]),
    ],
)
def test_signs_of_clusters(labels, told):
    signs = cluster_signs(np.array(labels, np.int32), "inter")
    assert len(signs) == len(told)
    for sign, start in zip(signs, told, strict=True):
        assert sign.startswith(start)


def test_each_camera_is_looked_at_alone():
    labels = np.array([0, 0, 1, 1, -1, -1], np.int32)
    camids = np.array([0, 0, 0, 0, 2, 2])
    (sign,) = camera_signs(labels, camids, "intra")
    assert sign.startswith("camera 3: every image is an outlier: raise intra.clusters.")


def test_a_camera_without_an_image_in_a_cluster_is_told():
    labels = np.array([0, 1, 0, -1, -1, 1], np.int32)
    (sign,) = dead_cameras(labels, np.array([0, 1, 0, 2, 2, 1]), "inter")
    assert sign.startswith(
        "camera 3: no image is in a cluster, none is trained on: rai"
    )
    assert dead_cameras(labels, np.array([0, 1, 2, 0, 1, 2]), "inter") == []
    assert dead_cameras(labels[:0], np.array([], int), "inter") == []


@pytest.mark.parametrize(
    ("losses", "before", "num"),
    [
        ([3.0], [1.0], 0),
        ([3.1], [1.0, 9.0], 1),
        ([9.0, 8.0], [5.0, 1.0], 1),
        ([9.0, 8.0], [5.0, 7.0], 0),
        ([9.0, 8.0], [1.0], 0),  # the round before was shorter
        ([9.0], [], 0),
        ([9.0], [0.0], 0),
    ],
)
def test_the_same_epoch_of_the_round_before_counts_too(losses, before, num):
    signs = loss_signs(losses, before)
    assert len(signs) == num
    assert all("in this epoch of the round before: lower" in sign for sign in signs)


@pytest.mark.parametrize(
    ("losses", "num"),
    [([9.0], 0), ([1.0, 3.0], 0), ([1.0, 3.1], 1), ([2.0, 1.0, 3.1], 1), ([9.0, 1], 0)],
)
def test_a_loss_that_rises_threefold_is_a_sign(losses, num):
    assert len(loss_signs(losses)) == num


def test_the_sign_of_a_loss_says_what_to_do():
    (sign,) = loss_signs([2.0, 10.0])
    told = "the loss is 10 after 2 in an earlier epoch: lower the learning rate"
    assert sign == told
