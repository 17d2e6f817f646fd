#!/usr/bin/python3
"""tools/cli_reference.py BINARY > docs/cli.md: the reference page of the command line, from the program's own help.

BINARY is a built funcgate; its hidden command `commands` tells every command, argument and option as JSON. Needs Python 3.11 and
nothing else. A test compares the page with the program.
"""

from __future__ import annotations

import json
import subprocess
import sys

INTRODUCTION = """# Command line

What `funcgate` can be told. This page is made from the program's own help by `tools/cli_reference.py`; change the help, not the page.

Commands that speak to the management API reach a server in one of two ways:

| you say | the command goes | as |
| --- | --- | --- |
| `--data DIR` (default `data`) | through the control socket in the data directory, on this machine | the owner of the directory: everything is allowed |
| `--url https://host:port` | over the network | the owner of a management key |

The key comes from `--token-file`, else from the file named by `FUNCGATE_TOKEN_FILE`, else from `FUNCGATE_TOKEN`; `FUNCGATE_URL`
stands for `--url` where neither `--url` nor `--data` is given. A key is made with `funcgate key create --scope management`. Over
plain HTTP it goes to this machine only, unless `--allow-plain-http` says otherwise. Redirects are never followed. Secrets are read
from standard input or files and are never arguments: the list of processes shows those to everybody.

Objects are named as people name them, by login or name, or by id. `-o json` and `-o yaml` print the `data` of the server's answer;
tables are for reading and may change. Messages go to standard error, with a line per finding and the trace id of the call.

| exit code | means | exit code | means |
| --- | --- | --- | --- |
| 0 | done | 4 | denied: no key, or a privilege is missing |
| 1 | failed, or different (`diff`) | 5 | conflict: taken, in use, or changed meanwhile |
| 2 | the command line is wrong | 6 | the server cannot be reached |
| 3 | there is no such object | 7 | a document or field is not valid |

`serve` ends with 78 if it cannot start.
"""
CONNECTION = ("Connection",)


def option_row(option: dict) -> str:
    names = ", ".join(f"`{name}`" for name in option["names"])
    # The parser adds what a value is checked for: TEXT:{table,json}, INT:INT in [1 - 3600].
    placeholder = "|".join(option["choices"]) or option["value"].split(":")[0]
    value = f" `{placeholder}`" if placeholder else ""
    default = f"; default `{option['default']}`" if option["default"] else ""
    required = "; required" if option["required"] else ""
    text = f"{option['help']}{default}{required}".replace("|", "\\|")
    return f"| {names}{value.replace('|', chr(92) + '|')} | {text} |"


def usage(command: dict) -> str:
    words = [command["words"]]
    words += [f"{argument['name']}{'…' if argument['many'] else ''}" for argument in command["arguments"]]
    words += [f"{option['names'][-1]} {option['value'].split(':')[0]}".strip() for option in command["options"] if option["required"]]
    if any(not option["required"] for option in own_options(command)):
        words.append("[options]")
    return " ".join(words)


def own_options(command: dict) -> list[dict]:
    return [option for option in command["options"] if option["names"] != ["-h", "--help"] and option["group"] not in CONNECTION]


def command_text(command: dict, level: int) -> list[str]:
    lines = [f"{'#' * level} {command['words'].removeprefix('funcgate ')}", "", f"{command['help']}.", "", "```text", usage(command), "```", ""]
    rows = [f"| `{argument['name']}` | {argument['help']} |" for argument in command["arguments"]] + [option_row(option) for option in own_options(command)]
    if rows:
        lines += ["| argument | meaning |", "| --- | --- |", *rows, ""]
    return lines


def page(tree: dict) -> str:
    lines = [INTRODUCTION]
    groups = [command for command in tree["commands"] if command["commands"]]
    single = [command for command in tree["commands"] if not command["commands"]]
    # Commands that can do without a server have a --data of their own: the others have all of them.
    connection = max(([option_row(option) for option in leaf["options"] if option["group"] in CONNECTION]
                      for group in groups for leaf in group["commands"]), key=len)
    lines += ["## Options of the connection", "", "Of every command that speaks to the management API:", ""]
    lines += ["| option | meaning |", "| --- | --- |", *connection, ""]
    lines += ["## Single commands", ""]
    for command in single:
        lines += command_text(command, 3)
    for group in groups:
        examples = group["examples"].removeprefix("Examples:").strip("\n")
        lines += [f"## {group['words'].removeprefix('funcgate ')}", "", f"{group['help']}.", ""]
        if examples:
            lines += ["```text", *[line.removeprefix("  ") for line in examples.splitlines()], "```", ""]
        for command in group["commands"]:
            lines += command_text(command, 3)
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    done = subprocess.run([sys.argv[1], "commands"], capture_output=True, text=True, check=True, timeout=60)
    sys.stdout.write(page(json.loads(done.stdout)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
