#!/usr/bin/env bash
# What a change does to the numbers, for a pull request or by hand:
#     experiments/check.sh [BASE]        BASE: origin/main unless given
# Brings the run of this commit, says which stages are stale, runs them, and writes the
# changes of parameters and metrics since BASE, in Markdown, to $GITHUB_STEP_SUMMARY or here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base=${1:-origin/main}
summary=${GITHUB_STEP_SUMMARY:-/dev/stdout}
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || {
    echo "check: there is no revision $base here: git fetch, or name another" >&2
    exit 2
}

# Images of a dataset are in no remote: the stages that make them run again.
dvc pull --quiet --allow-missing || echo "check: not all outputs are in the remote" >&2
stale=$(dvc status --json | python -c 'import json, sys
for name in json.load(sys.stdin): print(f"- `{name}`")')
dvc repro evaluate

table() { # of one line and a rule: nothing has changed
    local text
    text=$(cat)
    if (($(wc -l <<<"$text") > 2)); then echo "$text"; else echo "No change."; fi
}
params=$(dvc params diff --md "$base" | table)
metrics=$(dvc metrics diff --md "$base" --targets metrics/evaluate.json | table)
{
    printf '### This change beside `%s`\n\n' "$base"
    if [[ -n $stale ]]; then
        printf 'Not committed as run, and run here:\n\n%s\n\n' "$stale"
    else
        printf 'Every stage is as committed.\n\n'
    fi
    printf 'Parameters\n\n%s\n\n' "$params"
    printf 'Metrics\n\n%s\n' "$metrics"
} >>"$summary"
