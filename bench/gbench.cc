#include "bench/gbench.h"

#include <benchmark/benchmark.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

namespace
{

/* Flags that decide something here; Google Benchmark reads them too. */
std::string out, out_format, repetitions;

/* --name=value, else the environment's NAME, as Google Benchmark has it. */
std::string flag(int argc, char **argv, const std::string &name)
{
	const std::string prefix = "--" + name + "=";
	std::string variable = name;
	std::string value;
	const char *env;

	for (char &c : variable)
		c = static_cast<char>(std::toupper(c));
	env = std::getenv(variable.c_str());
	value = env ? env : "";
	for (int i = 1; i < argc; i++) {
		const std::string argument = argv[i];

		if (argument.compare(0, prefix.size(), prefix) == 0)
			value = argument.substr(prefix.size());
	}
	return value;
}

using Runs = std::vector<benchmark::BenchmarkReporter::Run>;

/*
 * The coefficient of variation of a counter that is always 0 is NaN, which
 * tells nobody anything and is no JSON. Such a field is left out.
 */
Runs without_nan(const Runs &runs)
{
	Runs finite = runs;

	for (auto &run : finite)
		for (auto c = run.counters.begin(); c != run.counters.end();)
			c = std::isfinite(c->second.value)
			            ? std::next(c)
			            : run.counters.erase(c);
	return finite;
}

/* The display that the flags ask for, without what is not finite. */
class finite_display : public benchmark::BenchmarkReporter
{
      public:
	bool ReportContext(const Context &context) override
	{
		return inner->ReportContext(context);
	}
	void ReportRuns(const Runs &runs) override
	{
		inner->ReportRuns(without_nan(runs));
	}
	void Finalize() override
	{
		inner->Finalize();
	}

      private:
	/* Google Benchmark's own; it lives as long as the process. */
	benchmark::BenchmarkReporter *inner =
	        benchmark::CreateDefaultDisplayReporter();
};

class finite_json : public benchmark::JSONReporter
{
      public:
	void ReportRuns(const Runs &runs) override
	{
		JSONReporter::ReportRuns(without_nan(runs));
	}
};

void one_repetition(benchmark::State &state, gbench_fn fn, void *cell)
{
	struct gbench_outcome outcome = {};

	fn(cell, &outcome);
	if (outcome.error) {
		state.SkipWithError(outcome.error);
		return;
	}
	while (state.KeepRunning())
		state.SetIterationTime(outcome.seconds);
	if (outcome.label)
		state.SetLabel(outcome.label);
	for (size_t i = 0; i < outcome.counters; i++)
		state.counters[outcome.counter[i].name] =
		        outcome.counter[i].value;
}

} // namespace

int gbench_init(int *argc, char **argv)
{
	out = flag(*argc, argv, "benchmark_out");
	out_format = flag(*argc, argv, "benchmark_out_format");
	repetitions = flag(*argc, argv, "benchmark_repetitions");
	benchmark::Initialize(argc, argv);
	return benchmark::ReportUnrecognizedArguments(*argc, argv) ? -1 : 0;
}

void gbench_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

void gbench_register(const char *name, int default_repetitions, gbench_fn fn,
                     void *cell)
{
	auto *b = benchmark::RegisterBenchmark(
	        name, [fn, cell](benchmark::State &state) {
		        one_repetition(state, fn, cell);
	        });

	b->Iterations(1)->UseManualTime()->Unit(benchmark::kNanosecond);
	/* A number set here would win over the flag. */
	if (repetitions.empty())
		b->Repetitions(default_repetitions);
}

size_t gbench_run(void)
{
	finite_display display;
	finite_json json;
	bool to_file =
	        !out.empty() && (out_format.empty() || out_format == "json");
	size_t selected = benchmark::RunSpecifiedBenchmarks(
	        &display, to_file ? &json : nullptr);

	benchmark::Shutdown();
	return selected;
}
