/* check and stress: the torture bench (stress/) under the command's roof. */
#include "bench/command.h"
#include "stress/conform/conform.h"
#include "stress/random/random.h"

const struct command command_check = {
	.name = "check",
	.summary = conform_summary,
	.help = conform_help,
	.run = conform_main,
};

const struct command command_stress = {
	.name = "stress",
	.summary = stress_summary,
	.help = stress_help,
	.run = stress_main,
};
