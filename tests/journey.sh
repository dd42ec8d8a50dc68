#!/usr/bin/env bash
# A researcher's afternoon (docs/experiments.md) on the smallest recipe, from a fresh clone:
# each command for real, and what it must leave. `make journey` runs it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=$(mktemp -d)
log=$place/log
trap 'rm -rf "$place"' EXIT
export OMP_WAIT_POLICY=passive GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=researcher GIT_AUTHOR_EMAIL=researcher@example.org
export GIT_COMMITTER_NAME=researcher GIT_COMMITTER_EMAIL=researcher@example.org
# Nobody's own settings of DVC.
export DVC_GLOBAL_CONFIG_DIR=$place/global DVC_SYSTEM_CONFIG_DIR=$place/system
export DVC_SITE_CACHE_DIR=$place/site

say() { printf '== %4d s  %s\n' "$SECONDS" "$*"; }
fail() { echo "journey: $*" >&2; cat "$log" >&2; exit 1; }
quietly() { "$@" >"$log" 2>&1 || fail "failed: $*"; }

# must_run "STAGES" COMMAND: it succeeds, and runs these stages and no other.
must_run() {
    local wanted=$1 ran
    shift
    quietly "$@"
    ran=$(sed -n "s/^Running stage '\(.*\)':$/\1/p" "$log" | xargs)
    [[ $ran == "$wanted" ]] || fail "$*: ran '$ran', should run '$wanted'"
}

# must_say PATTERN COMMAND: it succeeds, and its output has a line like this.
must_say() {
    local pattern=$1
    shift
    quietly "$@"
    grep -Eq -- "$pattern" "$log" || fail "$*: its output has no '$pattern'"
}

restore() { git checkout --quiet --force main && quietly dvc checkout; }
same_as_locked() {
    local md5
    md5=$(md5sum <"$1")
    grep -q "${md5%% *}" dvc.lock || fail "$1 is not the one in dvc.lock"
}
# wait_for_queue N: until N experiments of the queue have ended well. One that is about to
# start is neither Queued nor Running for a moment. A worker that a busy machine answers too
# late takes itself for idle and ends: then what is Queued needs another one.
wait_for_queue() {
    local wanted=$1 idle=0 limit=$((SECONDS + 15 * 60))
    until quietly dvc queue status && [[ $(grep -c 'Success$' "$log") == "$wanted" ]]; do
        ! grep -q 'Failed$' "$log" || fail "an experiment of the queue failed"
        ((SECONDS < limit)) || fail "not all of the queue has run in 15 minutes"
        idle=$((idle + 1))
        if grep -q 'Running$' "$log" || ! grep -q 'Queued$' "$log"; then idle=0; fi
        if ((idle == 5)); then
            quietly dvc queue start
            idle=0
        fi
        sleep 2
    done
}
# offline COMMAND: it succeeds without a network.
offline() {
    if unshare -rn true 2>/dev/null; then
        quietly unshare -rn "$@"
    else
        say "unshare -rn is not permitted: the network was left on for: $*"
        quietly "$@"
    fi
}
# since NANOSECONDS: how long ago that was.
since() {
    local tenths=$((($(date +%s%N) - $1) / 100000000))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

say "the pretrained checkpoint, on a fresh clone"
git clone --quiet "$here" "$place/repo"
cd "$place/repo"
git checkout --quiet -B main
offline dvc pull models/inter.safetensors
same_as_locked models/inter.safetensors
offline dvc pull
quietly dvc status --quiet
must_run "" dvc repro
say "evaluated in another way, without training"
must_run "evaluate" dvc exp run -S evaluate.max_rank=20
[[ $(grep -c rank plots/cmc.json) == 20 ]] || fail "plots/cmc.json: not 20 ranks"
restore

say "a run of the smallest recipe"
quietly python -m recipes --force smoke
must_run "synthesize unzip split intra inter extract evaluate" dvc repro
git commit --quiet --all --message="The smallest recipe"
must_run "" dvc repro

say "three knobs, three sets of stages"
must_run "evaluate" dvc exp run --name ranks -S evaluate.max_rank=5
restore
must_run "extract evaluate" dvc exp run --name early -S extract.checkpoint=intra.safetensors
restore
must_run "inter extract evaluate" dvc exp run --name no-triplet -S inter.triplet.weight=0
restore
must_run "inter extract evaluate" dvc exp run --temp --name slow -S inter.lr=0.0001
[[ -z $(git status --porcelain) ]] || fail "--temp left traces in the workspace"

say "a grid in the queue, two at a time"
quietly dvc exp run --queue -S inter.mix.weight=0,0.05
quietly dvc queue start --jobs 2
wait_for_queue 2
[[ $(dvc exp list --name-only | wc -l) == 6 ]] || fail "not six experiments: $(dvc exp list)"

say "comparing"
must_say '^metrics/evaluate.json +mAP +0' dvc metrics diff main no-triplet
must_say 'inter.triplet.weight +1.0 +0' dvc params diff main no-triplet
quietly dvc plots diff main no-triplet early
grep -q '"rev": "no-triplet"' dvc_plots/index.html || fail "the page lacks no-triplet"
! grep -Eq '<script[^>]*src=' dvc_plots/index.html || fail "the page needs a network"
make=(make "VENV=$VIRTUAL" "--old-file=$VIRTUAL/.runtime")
must_say 'no-triplet' env -u COLUMNS "${make[@]}" show
longest=$(python -c 'print(max(len(line) - 1 for line in open(0, encoding="utf-8")))' <"$log")
((longest <= 140)) || fail "make show: a line has $longest characters"
quietly env COLUMNS=240 "${make[@]}" show # so wide that no column gives way to others
header=$(grep -m 1 Experiment "$log")
for column in mAP mINP rank1 evaluate.max_rank extract.checkpoint inter.lr \
    inter.mix.weight inter.triplet.weight; do
    [[ $header == *" $column "* ]] || fail "make show: there is no column $column"
done
quietly "${make[@]}" compare REVS="main no-triplet early"
[[ -s reports/compare.png ]] || fail "no reports/compare.png"
quietly "${make[@]}" report
grep -q '</html>' reports/report.html || fail "no whole reports/report.html"

say "seeds, and two recipes beside each other"
quietly "${make[@]}" seeds N=2 ARGS="--jobs 2 --name plain"
must_say '\| inter.safetensors \| mAP \|' cat reports/seeds/plain.md
quietly "${make[@]}" seeds N=2 RECIPE=smoke ARGS="--jobs 2 --name again"
must_say '\| mAP \|.*\| none \|' "${make[@]}" paired A=plain B=again

say "a zip of one's own, which git ignores"
mkdir -p "$place/other" data/mine/raw
sed '/^synthesize:/,/^[a-z]/ s/seed: [0-9]*/seed: 77/' params.yaml >"$place/other/params.yaml"
(cd "$place/other" && PYTHONPATH="$place/repo" python -m stages.synthesize)
cp "$place/other/data/synthetic/raw/synthetic.zip" data/mine/raw/mine.zip
quietly dvc queue remove --all
quietly dvc exp run --queue --name mine -S archive=data/mine/raw/mine.zip \
    --copy-paths data/mine/raw evaluate
quietly dvc queue start
wait_for_queue 1
[[ -z $(git status --porcelain) ]] || fail "the zip left traces in git"
sed -i 's|^archive: [^ ]*|archive: data/mine/raw/mine.zip|' params.yaml
start=$(date +%s%N)
must_run "" dvc repro evaluate # the queue has run all of it
say "… in the workspace, from the run-cache: $(since "$start")"
must_say '109 training images of 3 cameras' "${make[@]}" recipe NAME=smoke FORCE=yes
git diff --quiet -- params.yaml || fail "the recipe is not the one that was committed"
start=$(date +%s%N)
must_run "" dvc repro
say "… and back from it: $(since "$start")"
[[ -s data/mine/raw/mine.zip ]] || fail "the zip is gone"

say "sharing"
restore
git clone --quiet --bare . "$place/shared.git"
git remote set-url origin "$place/shared.git"
quietly dvc remote add --local --default mine "$place/store"
quietly dvc push
quietly dvc exp push origin no-triplet
git clone --quiet "$place/shared.git" "$place/colleague"
cd "$place/colleague"
quietly dvc remote add --local --default mine "$place/store"
! dvc pull >"$log" 2>&1 || fail "all of it was pulled, images too"
must_run "unzip extract evaluate" dvc repro evaluate
quietly dvc exp pull origin no-triplet
must_say '^metrics/evaluate.json +mAP +0' dvc metrics diff main no-triplet
! dvc exp apply no-triplet >"$log" 2>&1 || fail "features and pictures of people were sent"
must_run "extract evaluate" dvc repro evaluate
theirs=$(git for-each-ref --format='%(objectname)' 'refs/exps/**/no-triplet')
git diff --quiet "$theirs" -- dvc.lock metrics plots || fail "the colleague's run differs"
same_as_locked models/inter.safetensors
images=$(md5sum <../repo/data/packed/images.bin | cut -c-32)
[[ -z $(find "$place/store" -path "*/${images:0:2}/${images:2}") ]] || fail "images were sent"
model=$(md5sum <models/inter.safetensors | cut -c-32)
[[ -n $(find "$place/store" -path "*/${model:0:2}/${model:2}") ]] || fail "no model was sent"

say "a pull request without a change, on a machine with the remote alone"
git clone --quiet "$place/shared.git" "$place/unchanged"
cd "$place/unchanged"
quietly dvc remote add --local --default mine "$place/store"
must_say '^Every stage has been run' experiments/check.sh origin/main
made=$(sed -n '/in no remote:$/,/^Parameters$/s/^- //p' "$log" | xargs)
[[ $made == '`unzip` `extract` `evaluate`' ]] || fail "check.sh: made again: $made"
! grep -q 'numbers differ' "$log" || fail "check.sh: other numbers without a change"

say "the decision"
cd "$place/repo"
quietly dvc exp apply no-triplet
git commit --quiet --all --message="Without the triplet loss"
must_run "" dvc repro
quietly dvc status --quiet
must_say 'params.yaml \| inter.triplet.weight \| 1.0 +\| 0 ' experiments/check.sh main~
grep -q '^Every stage has been run' "$log" || fail "check.sh takes a stage for stale"
say "a change that was not run, on a machine without the archive"
git clone --quiet . "$place/runner"
cd "$place/runner"
sed -i 's|^archive: [^ ]*|archive: data/mine/raw/mine.zip|' params.yaml
must_say '^They were not run, as `data/mine/raw/mine.zip` is not' experiments/check.sh main~
changed=$(sed -n '/^Changed since/,/^They were/s/^- //p' "$log" | xargs)
[[ $changed == '`unzip`' ]] || fail "check.sh: stale are '$changed', should be unzip alone"
say "all of it works"
