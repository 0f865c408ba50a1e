# Sourced by the step of action.yml: run start.py on the first suitable Python in PATH or in the
# runner's tool cache. `exec` keeps the process ID, so that the runner's signals reach Python.
set -eu

fail() {
    printf '::error title=ci3::%s\n' "$1"
    if [ -n "${GITHUB_OUTPUT:-}" ]; then echo outcome=failed >> "$GITHUB_OUTPUT"; fi
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
        printf '### ❌ ci3 stopped\n\n%s\n' "$1" >> "$GITHUB_STEP_SUMMARY"
    fi
    exit 2
}

if [ "${RUNNER_OS:-}" = Windows ]; then
    fail 'ci3 does not run on Windows. Use a Linux or macOS runner, such as runs-on: ubuntu-latest.'
fi

probe='import importlib.util, sys
has_pip = importlib.util.find_spec("pip") is not None
print(sys.version.split()[0] + ("" if has_pip else " without pip"))
sys.exit(not has_pip or not (3, 11) <= sys.version_info[:2] <= (3, 14))'

default=
for python in python3 python3.14 python3.13 python3.12 python3.11 \
    "${RUNNER_TOOL_CACHE:-}"/Python/3.1[1-4].*/*/bin/python3; do
    # -I -S: import nothing of the workspace and of the job's packages.
    if version=$("$python" -I -c "$probe" 2> /dev/null); then
        exec "$python" -I -S -u -X utf8 "$GITHUB_ACTION_PATH/start.py"
    fi
    default=${default:-${version:-not found}}
done
fail "ci3 needs Python 3.11 to 3.14 with pip; python3 on this runner: $default.\
 Add a step before this one: uses: actions/setup-python@v7 with python-version: '3.13'."
