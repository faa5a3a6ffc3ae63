"""The walk itself: a block that fails, or does not print what it says, is not walked over."""

import pytest

from tests.okta.walking import Shell


@pytest.mark.parametrize(
    "block",
    [
        "false\n",
        'curl -sS --fail "$USHER_COMMANDS/nothing" | cat\n',
        "usher org create\n",
        "usher okta values --org nobody\n",
        "usher okta values --org acme    # saml_url\n",
        "echo 'left open\n",
        'echo "$NOT_SET"\n',
        "exit 0\n",
    ],
)
def test_a_block_that_does_not_come_true_fails(shell: Shell, block: str) -> None:
    with pytest.raises(AssertionError):
        shell.run(block)


def test_variables_and_functions_live_on_from_block_to_block(shell: Shell) -> None:
    shell.run("SAID=well; say() { printf 'all %s' \"$1\"; }\n")
    assert shell.run('say "$SAID"    # well\n') == "all well\n"
