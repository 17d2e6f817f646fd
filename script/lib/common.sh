# Shared by the scripts of this folder; sourced, not run.
#
#   say TEXT…        what is being done, on stderr, so that stdout stays for results
#   fail TEXT…       what went wrong and what to do; ends the script with 1
#   usage FILE       prints the leading comment of FILE: the help of a script is the comment a reader sees first
#   root             the top folder of the repository; the scripts work from there
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}
usage() { awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$1"; }

# Ends the script with the help text when it was asked for, wherever it stands among the arguments.
help_if_asked() {
  local script=$1 argument
  shift
  for argument in "$@"; do
    case $argument in
      -h | --help) usage "$script"; exit 0 ;;
      --) return 0 ;;
    esac
  done
}
