#!/bin/sh
# Everything that the torture bench has against our own channels, as it is built
# and with delays before each atomic operation; for so long in all.
#
#   stress/run.sh TIME WEFT PERTURBED_WEFT     TIME: 90, 90s, 2m, 1h
#
# Exit status: 0 nothing was found; 1 something was; 2 bad input.
set -u

time=${1:?usage: run.sh TIME WEFT PERTURBED_WEFT}
plain=${2:?usage: run.sh TIME WEFT PERTURBED_WEFT}
perturbed=${3:?usage: run.sh TIME WEFT PERTURBED_WEFT}

case $time in
*[smh]) number=${time%?} ;;
*) number=$time ;;
esac
case $number in
'' | *[!0-9]* | 0*) echo "STRESS=$time: must be a time such as 90s, 2m or 1h" >&2; exit 2 ;;
esac
case $time in
*m) seconds=$((number * 60)) ;;
*h) seconds=$((number * 3600)) ;;
*) seconds=$number ;;
esac

# What there is to stress says the command: "(there are: chan, select)".
subjects=$("$plain" stress 2>&1 | sed -n 's/.*there are: *\(.*\)).*/\1/p' | tr -d ,)
[ -n "$subjects" ] || { echo "$plain does not say what it can stress" >&2; exit 2; }
count=$(echo "$subjects" | wc -w)

status=0
found=

# part PERCENT NAME COMMAND...: with --seconds or --budget, whatever it takes.
part() {
	share=$(awk "BEGIN { printf \"%.3f\", $seconds * $1 / 100 }")
	name=$2 option=$3
	shift 3
	printf '\n=== %s, %s s\n' "$name" "$share"
	"$@" "$option=$share" || { status=1 found="$found $name;"; }
}

# A delay must not be taken for a hang.
patience=--time-limit=100

part 12 'check' --budget "$plain" check --all --quiet
part 18 'check with delays' --budget "$perturbed" check --all --quiet --percent=5 $patience
for subject in $subjects; do
	part $((30 / count)) "stress $subject" --seconds "$plain" stress "$subject"
	part $((40 / count)) "stress $subject with delays" --seconds \
		"$perturbed" stress "$subject" $patience
done

if [ $status -ne 0 ]; then
	printf '\nfound by:%s see above\n' "$found"
else
	printf '\nnothing was found in %s s\n' "$seconds"
fi
exit $status
