"""The pre-commit hooks run the checks of `make check`."""

import yaml

from tests.support.paths import ROOT


def test_hooks_use_the_tools_of_make_check():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        runner, *command = hook["entry"].removesuffix(" --force-exclude").split()
        assert runner == "tools/in-environment"
        is_check = command == ["ruff", "format"]  # here the hook writes what `make check` compares
        assert f"$(BIN)/{' '.join(command)}{' --check' if is_check else ''}" in makefile
