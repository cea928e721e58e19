#include "bench/gbench.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/plain.h"

namespace
{

using benchmark::BenchmarkReporter;
using Run = BenchmarkReporter::Run;
using Runs = std::vector<Run>;

const char *const *counter_names;
bool failed;

/* On repetitions that are to leave no trace. */
const char dropped[] = "weft: dropped";

/* While Google Benchmark formats: the locales that foreign code has set, that
 * of C and that of C++, must not show. */
class plain
{
      public:
	plain() : c(plain_begin())
	{
		if (!(cpp == std::locale::classic()))
			std::locale::global(std::locale::classic());
	}
	~plain()
	{
		if (!(cpp == std::locale::classic()))
			std::locale::global(cpp);
		plain_end(c);
	}
	plain(const plain &) = delete;
	plain &operator=(const plain &) = delete;

      private:
	locale_t c;
	std::locale cpp;
};

/* --- what is reported --- */

/* Of an even number of repetitions, the middle or mean of the rates is not the
 * inverse of that of the times. */
void derive_rate(Run &run)
{
	auto ns = run.counters.find("ns_per_message");
	auto rate = run.counters.find("messages_per_second");

	if (run.aggregate_name != "mean" && run.aggregate_name != "median")
		return;
	if (ns != run.counters.end() && rate != run.counters.end())
		rate->second.value = 1e9 / ns->second.value;
}

/*
 * The coefficient of variation of a counter that is always 0 is NaN, which
 * tells nobody anything and is no JSON. Such a field is left out.
 */
void drop_nan(Run &run)
{
	for (auto c = run.counters.begin(); c != run.counters.end();)
		c = std::isfinite(c->second.value) ? std::next(c)
		                                   : run.counters.erase(c);
}

Runs tidy(const Runs &runs)
{
	Runs kept;

	for (const auto &run : runs) {
		if (run.report_label == dropped)
			continue;
		kept.push_back(run);
		derive_rate(kept.back());
		drop_nan(kept.back());
	}
	return kept;
}

/* Without /proc it counts -1 CPUs. What it hands out is an object of its own
 * that it has made itself, and not a constant. */
void mend(const BenchmarkReporter::Context &context)
{
	auto &info = const_cast<benchmark::CPUInfo &>(context.cpu_info);

	if (info.num_cpus < 1)
		info.num_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
}

/* --- where it goes --- */

/* stdout or a file, and the first thing that went wrong with it. */
class writer
{
      public:
	/* NULL is stdout. */
	explicit writer(const char *path) : name(path)
	{
	}
	~writer()
	{
		close();
	}
	writer(const writer &) = delete;
	writer &operator=(const writer &) = delete;

	bool open()
	{
		if (!name)
			fd = STDOUT_FILENO;
		else if (fd < 0)
			fd = ::open(name,
			            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			            0666);
		/* stdout may be a file that others write to as well. */
		rewritable = fd >= 0 && name && lseek(fd, 0, SEEK_CUR) == 0;
		return done(fd >= 0);
	}
	bool add(const std::string &text)
	{
		return done(all_of(text, [this](const char *from, size_t n) {
			return ::write(fd, from, n);
		}));
	}
	/*
	 * Where it is rewritable: add `text` and an end that the next piece
	 * goes over, so that the file is whole after each of them. One that
	 * does not fit leaves it as it was.
	 */
	bool add_before(const std::string &text, const std::string &end)
	{
		if (put(text + end, at)) {
			at += static_cast<off_t>(text.size());
			return done(true);
		}
		done(false);
		if (put(end, at) &&
		    ftruncate(fd, at + static_cast<off_t>(end.size())))
			return false;
		return false;
	}
	bool replace(off_t where, const std::string &text)
	{
		return done(put(text, where));
	}
	bool close()
	{
		int was = fd;

		fd = -1;
		return done(was < 0 || !name || ::close(was) == 0);
	}

	bool rewritable = false;
	int error = 0;

      private:
	template <typename function>
	static bool all_of(const std::string &text, function write_some)
	{
		size_t from = 0;

		while (from < text.size()) {
			ssize_t n = write_some(text.data() + from,
			                       text.size() - from);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return false;
			from += static_cast<size_t>(n);
		}
		return true;
	}
	bool put(const std::string &text, off_t where)
	{
		return all_of(text, [this, &where](const char *from, size_t n) {
			ssize_t put = ::pwrite(fd, from, n, where);

			where += put > 0 ? put : 0;
			return put;
		});
	}
	bool done(bool ok)
	{
		if (!ok && !error)
			error = errno ? errno : EIO;
		failed |= !ok;
		return error == 0;
	}

	const char *name;
	int fd = -1;
	off_t at = 0;
};

/* A format: it takes what Google Benchmark reports and gives it to a writer. */
class format : public BenchmarkReporter
{
      public:
	/* `of` does the work, and belongs to the caller. */
	format(BenchmarkReporter *of, writer &to) : inner(of), out(to)
	{
		text.imbue(std::locale::classic());
		inner->SetOutputStream(&text);
	}

	/* Google Benchmark asks the display first; but what is wrong with the
	 * file is to be known before anything is on the display. */
	bool ReportContext(const Context &context) override
	{
		plain scope;

		mend(context);
		if (!begun)
			begun = (!sooner || sooner->ReportContext(context)) &&
			        out.open() && inner->ReportContext(context) &&
			        begin();
		return begun;
	}
	void ReportRuns(const Runs &all) override
	{
		Runs runs = tidy(all);
		plain scope;

		if (!runs.empty() && !out.error) {
			before(runs);
			inner->ReportRuns(runs);
			more();
		}
	}
	void Finalize() override
	{
		plain scope;

		if (!begun || out.error)
			return;
		inner->Finalize();
		end();
		out.close();
	}

	/* What is for stderr elsewhere goes here too. */
	void take_errors()
	{
		inner->SetErrorStream(&text);
	}

	format *sooner = nullptr; /* begins before this one */

      protected:
	virtual bool begin()
	{
		return out.add(take());
	}
	virtual void before(const Runs &)
	{
	}
	virtual void more()
	{
		out.add(take());
	}
	virtual void end()
	{
		out.add(take());
	}
	std::string take()
	{
		std::string taken = text.str();

		text.str("");
		return taken;
	}

	BenchmarkReporter *inner;
	writer &out;
	std::ostringstream text;
	bool begun = false;
};

/* Its columns are the counters of the first report. So the first is made of all
 * that there are, and only the head of it is kept. */
class csv : public format
{
      public:
	using format::format;

      protected:
	void before(const Runs &runs) override
	{
		Runs first(1, runs.front());

		if (has_head)
			return;
		for (auto name = counter_names; *name; name++)
			first.front().counters[*name] = 0;
		inner->ReportRuns(first);
		/* The context, when it goes here too, was taken before. */
		out.add(first_line(take()));
		has_head = true;
	}

      private:
	static std::string first_line(const std::string &all)
	{
		return all.substr(0, all.find('\n') + 1);
	}

	bool has_head = false;
};

/* Bytes of the UTF-8 sequence at text[i], or 0. */
size_t utf8(const std::string &text, size_t i)
{
	const auto byte = [&](size_t k) {
		return k < text.size() ? static_cast<unsigned char>(text[k])
		                       : 0u;
	};
	const unsigned first = byte(i), second = byte(i + 1);
	size_t length = first < 0x80   ? 1
	                : first < 0xc2 ? 0
	                : first < 0xe0 ? 2
	                : first < 0xf0 ? 3
	                : first < 0xf5 ? 4
	                               : 0;

	for (size_t k = 1; k < length; k++)
		if ((byte(i + k) & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && second < 0xa0) ||
	    (first == 0xed && second > 0x9f) ||
	    (first == 0xf0 && second < 0x90) ||
	    (first == 0xf4 && second > 0x8f))
		return 0;
	return length;
}

class json : public format
{
      public:
	json(BenchmarkReporter *of, writer &to, bool (*is_stopped)(void))
	    : format(of, to), stopped(is_stopped)
	{
	}

      protected:
	/* The head says that the rest is missing, for as long as it is. */
	bool begin() override
	{
		static const char key[] = "\n    \"weft_partial\": ";
		size_t at;

		all = clean(take());
		at = all.find('{', all.find("\"context\""));
		if (at == std::string::npos)
			return out.add(all); /* no head that we know */
		all.insert(at + 1, std::string(key) + yes + ",");
		mark = static_cast<off_t>(at + 1 + strlen(key));
		return !out.rewritable || out.add_before(all, tail);
	}
	void more() override
	{
		const std::string piece = clean(take());

		if (out.rewritable)
			out.add_before(piece, tail);
		else
			all += piece;
	}
	/* The end of it is ours. */
	void end() override
	{
		const char *partial = stopped() ? yes : no;

		take();
		if (out.rewritable) {
			out.replace(mark, partial);
			return;
		}
		all.replace(static_cast<size_t>(mark), strlen(yes), partial);
		out.add(all + tail);
	}

      private:
	/* The same length. */
	static constexpr const char *yes = "true ";
	static constexpr const char *no = "false";
	static constexpr const char *tail = "\n  ]\n}\n";

	/* Some of what it writes comes from the user or from plug-ins, and it
	 * escapes quotes and a few others only. */
	static std::string clean(const std::string &raw)
	{
		std::string valid;
		char escape[8];

		for (size_t i = 0, n; i < raw.size(); i += n ? n : 1) {
			const auto c = static_cast<unsigned char>(raw[i]);

			n = utf8(raw, i);
			if (n == 0) {
				valid += "\\ufffd";
			} else if ((c < 0x20 && c != '\n') || c == 0x7f) {
				snprintf(escape, sizeof(escape), "\\u%04x", c);
				valid += escape;
			} else {
				valid.append(raw, i, n);
			}
		}
		return valid;
	}

	bool (*stopped)(void);
	std::string all; /* until the end, where nothing can be replaced */
	off_t mark = 0;
};

/* --- running --- */

/* For the file, as Google Benchmark itself would make it; deprecated is one of
 * them, which will be there for as long as the flag has that word. */
std::unique_ptr<BenchmarkReporter> new_reporter(const std::string &word)
{
	using benchmark::ConsoleReporter;

	if (word == "json")
		return std::make_unique<benchmark::JSONReporter>();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	if (word == "csv")
		return std::make_unique<benchmark::CSVReporter>();
#pragma GCC diagnostic pop
	return std::make_unique<ConsoleReporter>(ConsoleReporter::OO_None);
}

std::unique_ptr<format> new_format(const std::string &word,
                                   BenchmarkReporter *of, writer &to,
                                   bool (*stopped)(void))
{
	if (word == "json")
		return std::make_unique<json>(of, to, stopped);
	if (word == "csv")
		return std::make_unique<csv>(of, to);
	return std::make_unique<format>(of, to);
}

void count(benchmark::State &state, const gbench_outcome &outcome)
{
	for (size_t i = 0; counter_names[i]; i++)
		if (std::isfinite(outcome.counter[i]))
			state.counters[counter_names[i]] = outcome.counter[i];
}

/* However it ends, it has had its one iteration: it compares the repetitions of
 * one benchmark, and aborts where their iterations differ. */
void one_repetition(benchmark::State &state, gbench_fn fn, void *cell)
{
	gbench_outcome outcome = {};

	fn(cell, &outcome);
	while (state.KeepRunning()) {
		if (outcome.dropped)
			state.SkipWithError(dropped);
		else if (outcome.error)
			state.SkipWithError(outcome.error);
		else
			state.SetIterationTime(outcome.seconds);
	}
	if (outcome.dropped)
		state.SetLabel(dropped);
	else if (!outcome.error && outcome.label)
		state.SetLabel(outcome.label);
	if (!outcome.dropped && !outcome.error)
		count(state, outcome);
}

} // namespace

int gbench_init(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	return benchmark::ReportUnrecognizedArguments(argc, argv) ? -1 : 0;
}

void gbench_counters(const char *const *names)
{
	counter_names = names;
}

void gbench_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

void gbench_register(const char *name, int repetitions, gbench_fn fn,
                     void *cell)
{
	auto *b = benchmark::RegisterBenchmark(
	        name, [fn, cell](benchmark::State &state) {
		        one_repetition(state, fn, cell);
	        });

	b->Iterations(1)->UseManualTime();
	/* A number set here would win over the flag. */
	if (repetitions)
		b->Repetitions(repetitions);
}

bool gbench_failed(void)
{
	return failed;
}

struct gbench_end gbench_run(const struct gbench_output *output,
                             bool (*stopped)(void))
{
	gbench_end end = {};
	writer to_stdout(nullptr), to_file(output->file);
	std::unique_ptr<BenchmarkReporter> of_file;
	std::unique_ptr<format> display, file;

	/* The one for the display is Google Benchmark's own, with the colours
	 * that its flags ask for; it lives as long as the process. */
	display = new_format(output->format,
	                     benchmark::CreateDefaultDisplayReporter(),
	                     to_stdout, stopped);
	if (output->file) {
		of_file = new_reporter(output->file_format);
		file = new_format(output->file_format, of_file.get(), to_file,
		                  stopped);
		file->take_errors();
		display->sooner = file.get();
	}
	fflush(stdout);
	end.selected =
	        benchmark::RunSpecifiedBenchmarks(display.get(), file.get());
	benchmark::Shutdown();
	end.file_error = to_file.error;
	end.stdout_error = to_stdout.error;
	return end;
}
