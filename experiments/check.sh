#!/usr/bin/env bash
# What a change does to the numbers, for a pull request or by hand:
#     experiments/check.sh [BASE]        BASE: origin/main unless given
# Brings the run of this commit, says which stages are stale, runs them, and writes the
# changes of parameters and metrics since BASE, in Markdown, to $GITHUB_STEP_SUMMARY or here.
# Where the archive is not at hand, as on a public runner, nothing is run: the committed
# numbers are compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base=${1:-origin/main}
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || {
    echo "check: there is no revision $base here: git fetch, or name another" >&2
    exit 2
}
lines() { grep -Fx "$@" || (($? == 1)); } # whole ones; that there are none is no fault
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Images of a dataset are in no remote: the stages that make them run again. Any other
# failure ends this, or a remote that cannot be read would be a training for nothing.
status=0
dvc pull --allow-missing >"$log" 2>&1 || status=$?
if ((status)) && ! grep -q 'Checkout failed' "$log"; then
    cat "$log" >&2
    exit "$status"
elif grep -Eq 'Checkout failed|Missing cache files' "$log"; then
    echo "check: not all outputs are in the remote" >&2
fi
changes=$(dvc status --json)
stale=$(python -m experiments.stale <<<"$changes")
missing=$(python -m experiments.stale --missing <<<"$changes")
archive=$(python -c 'from experiments.stale import archive; print(archive())')
again='' after='' differ=''
if [[ -e $archive || $archive == data/synthetic/raw/synthetic.zip ]]; then
    dvc repro evaluate | tee "$log"
    did="They were run to make this report"
    ran=$(sed -n "s/^Running stage '\(.*\)':$/- \`\1\`/p" "$log")
    again=$(lines -e "$missing" <<<"$ran")
    after=$(lines -v -e "$stale" -e "$missing" <<<"$ran")
    git diff --quiet HEAD -- metrics || differ=yes
else
    did="They were not run, as \`$archive\` is not on this machine: the metrics are the committed ones"
fi

table() { # of one line and a rule: nothing has changed
    local text
    text=$(cat)
    if (($(wc -l <<<"$text") > 2)); then echo "$text"; else echo "No change."; fi
}
report() { if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then cat >>"$GITHUB_STEP_SUMMARY"; else cat; fi; }
params=$(dvc params diff --md "$base" | table)
metrics=$(dvc metrics diff --md "$base" --targets metrics/evaluate.json | table)
{
    printf '### What this change does to the numbers\n\nCompared with `%s`.\n\n' "$base"
    if [[ -n $stale ]]; then
        printf 'Changed since their last run:\n\n%s\n\n%s.\n\n' "$stale" "$did"
    else
        printf 'Every stage has been run as it is committed.\n\n'
    fi
    if [[ -n $again ]]; then
        printf 'Made again here, as their outputs are in no remote:\n\n%s\n\n' "$again"
    fi
    if [[ -n $after ]]; then
        printf 'Run after these, as what they read came out otherwise:\n\n%s\n\n' "$after"
    fi
    if [[ -n $differ && -z $stale ]]; then
        printf 'The numbers differ from the committed ones: see `git diff HEAD -- metrics`.\n\n'
    fi
    printf 'Parameters\n\n%s\n\n' "$params"
    printf 'Metrics\n\n%s\n' "$metrics"
} | report
