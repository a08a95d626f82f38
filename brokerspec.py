"""The command `brokerspec`: four subcommands, each of which lives in the package that it is about.

A subcommand's package is imported only when it is asked for, so that `brokerspec broker` starts
without the solver and `brokerspec spec` without anything.
"""

import importlib
import os
import sys

COMMANDS = {
    "check": ("model.command", "check the machines of the models, or print a counterexample"),
    "conform": ("conformance.command", "hold a broker against the specification, over TCP"),
    "broker": ("impl.command", "run the reference broker"),
    "spec": ("spec.command", "read the clauses of the specification"),
}

USAGE = "usage: brokerspec {check,conform,broker,spec} ...\n\n" + "".join(
    f"  {name:8}  {text}\n" for name, (_, text) in COMMANDS.items()
)


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return its exit status (0 good, 1 something is broken, 2 bad input)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE + "\nbrokerspec COMMAND --help tells more of one, with an example.")
        return 0 if arguments else 2
    if arguments == ["--version"]:
        metadata = importlib.import_module("importlib.metadata")
        print(f"brokerspec {metadata.version('brokerspec')}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"brokerspec: there is no command {name!r}\n{USAGE}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[name][0])
    try:
        status: int = module.main(rest)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output has enough of it, such as `head`; nothing more is written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
