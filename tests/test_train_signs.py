from __future__ import annotations

import numpy as np
import pytest

from crosscam.train.signs import camera_signs, cluster_signs, loss_signs


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
