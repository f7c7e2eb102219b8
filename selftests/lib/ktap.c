// SPDX-License-Identifier: GPL-2.0-only
/*
 * ktap.c - main() of every selftest written in C: the list of tests, one process for each, and the
 * KTAP lines. Knows nothing about what is tested.
 */
#include "ktap.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define KTAP_REASON_MAX 512

/* Shared with the test's process and everything it forks. */
struct ktap_shared {
	int failures;
	bool quiet;
	char reason[KTAP_REASON_MAX];
};

static struct ktap_test *tests;
static struct ktap_test **tests_tail = &tests;
static struct ktap_shared *shared;

void ktap_register(struct ktap_test *test)
{
	*tests_tail = test;
	tests_tail = &test->next;
}

void ktap_register_table(const char *table, void (*run)(const void *row), const void *rows,
			 size_t count, size_t size)
{
	struct ktap_test *list = calloc(count, sizeof(*list));

	if (!list)
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct ktap_row *row = (const void *)((const char *)rows + i * size);

		list[i] = (struct ktap_test){
			.table = table,
			.name = row->name,
			.desc = row->desc,
			.run = run,
			.row = row,
		};
		ktap_register(&list[i]);
	}
}

static void print_lines(const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("# %s\n", line);
	fflush(stdout);
	free(copy);
}

static void print_note(const char *fmt, va_list args)
{
	char *text = NULL;

	if (shared->quiet || vasprintf(&text, fmt, args) < 0)
		return;
	print_lines(text);
	free(text);
}

void ktap_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_note(fmt, args);
	va_end(args);
}

void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list args;

	__atomic_add_fetch(&shared->failures, 1, __ATOMIC_RELAXED);
	if (!shared->quiet)
		printf("# %s:%d: ", base ? base + 1 : file, line);
	if (!shared->quiet) {
		va_start(args, fmt);
		vprintf(fmt, args);
		va_end(args);
		printf("\n");
		fflush(stdout);
	}
}

void ktap_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(shared->reason, sizeof(shared->reason), fmt, args);
	va_end(args);
	_exit(KTAP_SKIP);
}

void ktap_stop(void)
{
	fflush(stdout);
	_exit(KTAP_FAIL);
}

bool ktap_has_failed(void)
{
	return __atomic_load_n(&shared->failures, __ATOMIC_RELAXED) > 0;
}

int ktap_child_begin(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		return 0;
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		ktap_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		ktap_fail(__FILE__, __LINE__, "a child was killed by %s",
			  strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == KTAP_SKIP)
		_exit(KTAP_SKIP);
	return 1;
}

void ktap_child_end(void)
{
	fflush(stdout);
	_exit(ktap_has_failed() ? KTAP_FAIL : KTAP_PASS);
}

static unsigned int timeout_seconds(void)
{
	const char *slow = getenv("SHALE_TEST_SLOW");
	int factor = slow ? atoi(slow) : 1;

	return KTAP_TIMEOUT * (factor > 0 ? factor : 1);
}

static enum ktap_result result_of(int status)
{
	if (WIFSIGNALED(status)) {
		ktap_note("killed by %s", strsignal(WTERMSIG(status)));
		return KTAP_FAIL;
	}
	if (shared->failures)
		return KTAP_FAIL;
	if (WEXITSTATUS(status) == KTAP_PASS || WEXITSTATUS(status) == KTAP_SKIP)
		return WEXITSTATUS(status);
	ktap_note("exited with %d", WEXITSTATUS(status));
	return KTAP_FAIL;
}

static const char *full_name(const struct ktap_test *test)
{
	static char name[256];

	if (!test->table)
		return test->name;
	snprintf(name, sizeof(name), "%s.%s", test->table, test->name);
	return name;
}

static void interrupt_wait(int signal)
{
	(void)signal;
}

static void catch_alarm(void)
{
	/* Without SA_RESTART: the alarm is there to end a wait. */
	struct sigaction action = {.sa_handler = interrupt_wait};

	sigaction(SIGALRM, &action, NULL);
}

static bool wait_in_time(pid_t pid, int *ret_status)
{
	pid_t found;

	alarm(timeout_seconds());
	found = waitpid(pid, ret_status, 0);
	alarm(0);
	return found == pid;
}

static void print_stack(pid_t pid)
{
	char path[64], line[256];
	FILE *stack;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	stack = fopen(path, "re");
	printf("# process %d sleeps in the kernel:\n", pid);
	while (stack && fgets(line, sizeof(line), stack))
		printf("#   %s", line);
	if (stack)
		fclose(stack);
}

static void print_stacks_of(pid_t group)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && getpgid(pid) == group)
			print_stack(pid);
	}
	if (proc)
		closedir(proc);
}

/* Nobody can wait for what a signal does not end: the runner sees that the other tests are missing. */
static void give_up(const struct ktap_test *test, pid_t group) __attribute__((noreturn));
static void give_up(const struct ktap_test *test, pid_t group)
{
	printf("# %s: still there %u seconds after it was killed\n", full_name(test), KTAP_GRACE);
	print_stacks_of(group);
	fflush(stdout);
	_exit(KTAP_FAIL);
}

/* The test itself if it was too slow, and what it left running: in its process group, our children. */
static void reap_leftovers(const struct ktap_test *test, pid_t group)
{
	kill(-group, SIGKILL);
	alarm(KTAP_GRACE);
	while (waitpid(-group, NULL, 0) > 0)
		;
	if (errno == EINTR)
		give_up(test, group);
	alarm(0);
}

enum ktap_result ktap_run_one(const struct ktap_test *test, bool quiet)
{
	enum ktap_result result;
	bool is_in_time;
	int status;
	pid_t pid;

	shared->failures = 0;
	shared->quiet = quiet;
	shared->reason[0] = '\0';
	if (ktap_before)
		ktap_before(test);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return KTAP_FAIL;
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGALRM, SIG_DFL);
		test->run(test->row);
		fflush(stdout);
		exit(ktap_has_failed() ? KTAP_FAIL : KTAP_PASS);
	}
	setpgid(pid, pid);
	is_in_time = wait_in_time(pid, &status);
	if (!is_in_time)
		ktap_note("took longer than %u seconds", timeout_seconds());
	reap_leftovers(test, pid);
	result = is_in_time ? result_of(status) : KTAP_FAIL;
	if (ktap_after && !ktap_after(test))
		result = KTAP_FAIL;
	return result;
}

static bool is_selected(const struct ktap_test *test, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (strstr(full_name(test), *patterns))
			return true;
	return false;
}

static void print_result(int number, const struct ktap_test *test, enum ktap_result result)
{
	printf("%s %d %s - %s", result == KTAP_FAIL ? "not ok" : "ok", number, full_name(test),
	       test->desc);
	if (result == KTAP_SKIP)
		printf(" # SKIP %s", shared->reason);
	printf("\n");
	fflush(stdout);
}

static enum ktap_result run_and_blame(const struct ktap_test *test)
{
	enum ktap_result result = ktap_run_one(test, false);
	const char *blame;

	if (result != KTAP_FAIL || !ktap_blame)
		return result;
	blame = ktap_blame(test);
	shared->quiet = false;
	if (blame)
		ktap_note("%s", blame);
	return result;
}

static int list_tests(void)
{
	for (struct ktap_test *test = tests; test; test = test->next)
		printf("%s\n", full_name(test));
	return 0;
}

int main(int argc, char **argv)
{
	int count = 0, number = 0, failed = 0, skipped = 0;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_tests();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return KTAP_FAIL;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	catch_alarm();
	for (struct ktap_test *test = tests; test; test = test->next)
		count += is_selected(test, argv + 1);
	printf("KTAP version 1\n1..%d\n", count);
	for (struct ktap_test *test = tests; test; test = test->next) {
		enum ktap_result result;

		if (!is_selected(test, argv + 1))
			continue;
		result = run_and_blame(test);
		failed += result == KTAP_FAIL;
		skipped += result == KTAP_SKIP;
		print_result(++number, test, result);
	}
	printf("# %d passed, %d failed, %d skipped\n", number - failed - skipped, failed, skipped);
	return failed || !number ? KTAP_FAIL : KTAP_PASS;
}
