# The first step of action.yml: find a Python for start.py, in PATH or in the runner's tool cache.
# Sets the output `path`; it is empty if there is none, and the next step then installs one.
set -eu

if [ "${RUNNER_OS:-}" = Windows ]; then
    problem='ci3 does not run on Windows. Use a Linux or macOS runner, such as runs-on: ubuntu-latest.'
    printf '::error title=ci3::%s\n' "$problem"
    printf '### ❌ ci3 stopped\n\n%s\n' "$problem" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
    exit 2
fi

# A suitable Python prints its path.
probe='import importlib.util, sys
if importlib.util.find_spec("pip") and (3, 11) <= sys.version_info[:2] <= (3, 14):
    print(sys.executable)'

path=
for python in python3 python3.14 python3.13 python3.12 python3.11 \
    "${RUNNER_TOOL_CACHE:-}"/Python/3.1[1-4].*/*/bin/python3; do
    # -I: import nothing of the workspace.
    if path=$("$python" -I -c "$probe" 2> /dev/null) && [ -n "$path" ]; then
        break
    fi
    path=
done
echo "path=$path" >> "$GITHUB_OUTPUT"
