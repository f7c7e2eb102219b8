/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ktap.h - the harness of every selftest written in C: each TEST runs in a process of its own and
 * becomes one KTAP line that names the behaviour it checks. What is tested, and what a test needs
 * around it (mounts, layers, temporary files), lives with the tests; the lines are read by
 * selftests/run.
 *
 *	TEST(negative_size, "a size below zero is refused")
 *	{
 *		EXPECT_ERR(size_parse("-1"), ERANGE);
 *	}
 *
 * A program is one or more files of TESTs linked with ktap.c, which has main(): without arguments it
 * runs everything, otherwise the tests whose name contains an argument; --list prints the names.
 * EXPECT_* notes a failure and goes on, ASSERT_* ends the test. Both may be used in processes a test
 * forks, as long as the test waits for them (IN_CHILD does).
 */
#ifndef SELFTESTS_KTAP_H
#define SELFTESTS_KTAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct ktap_test {
	const char *table; /* NULL, or the table the test is a row of */
	const char *name;
	const char *desc;
	void (*run)(const void *row);
	const void *row;
	struct ktap_test *next;
};

enum ktap_result {
	KTAP_PASS = 0,
	KTAP_FAIL = 1,
	KTAP_SKIP = 4,
};

void ktap_register(struct ktap_test *test);

/* The start of every row of a TEST_TABLE. */
struct ktap_row {
	const char *name;
	const char *desc;
};

void ktap_register_table(const char *table, void (*run)(const void *row), const void *rows,
			 size_t count, size_t size);

#define TEST(NAME, DESC)                                                                         \
	static void test_##NAME(const void *row);                                                \
	static struct ktap_test ktap_##NAME = {.name = #NAME, .desc = DESC, .run = test_##NAME}; \
	__attribute__((constructor)) static void ktap_register_##NAME(void)                      \
	{                                                                                        \
		ktap_register(&ktap_##NAME);                                                     \
	}                                                                                        \
	static void test_##NAME(const void *row __attribute__((unused)))

/*
 * One test for each row of an array whose elements begin with a struct ktap_row named "row"; the body
 * sees its element as CASE.
 */
#define TEST_TABLE(NAME, TYPE, ROWS, CASE)                                                \
	static void table_##NAME(const TYPE *CASE);                                       \
	static void table_run_##NAME(const void *row)                                     \
	{                                                                                 \
		table_##NAME(row);                                                        \
	}                                                                                 \
	__attribute__((constructor)) static void ktap_register_##NAME(void)               \
	{                                                                                 \
		_Static_assert(offsetof(TYPE, row) == 0, "rows begin with struct ktap_row"); \
		ktap_register_table(#NAME, table_run_##NAME, ROWS,                        \
				    sizeof(ROWS) / sizeof((ROWS)[0]), sizeof((ROWS)[0])); \
	}                                                                                 \
	static void table_##NAME(const TYPE *CASE)

/*
 * What a suite may define around its tests. All run in the process that prints, not in the test's:
 * before and after each test (after returns whether everything could be put away again), and, once a
 * test has failed, a sentence about whose fault it is.
 */
__attribute__((weak)) void ktap_before(const struct ktap_test *test);
__attribute__((weak)) bool ktap_after(const struct ktap_test *test);
__attribute__((weak)) const char *ktap_blame(const struct ktap_test *test);

/* Runs the test in a process of its own without printing a result line. */
enum ktap_result ktap_run_one(const struct ktap_test *test, bool quiet);

/* Seconds a test may take before it is killed; SHALE_TEST_SLOW multiplies it. */
#define KTAP_TIMEOUT 60

/* Seconds in which a killed test has to be gone. */
#define KTAP_GRACE 30

void ktap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void ktap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ktap_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void ktap_stop(void) __attribute__((noreturn));
bool ktap_has_failed(void);

/* Forks; 0 in the child, 1 in the parent once the child has ended well or been noted as a failure. */
int ktap_child_begin(void);
void ktap_child_end(void) __attribute__((noreturn));

#define IN_CHILD for (int child_ = ktap_child_begin(); child_ == 0; ktap_child_end())

#define SKIP(...) ktap_skip(__VA_ARGS__)

#define KTAP_CHECK(COND, STOP, ...)                                    \
	({                                                             \
		bool good_ = (COND);                                   \
		if (!good_) {                                          \
			ktap_fail(__FILE__, __LINE__, __VA_ARGS__);    \
			if (STOP)                                      \
				ktap_stop();                           \
		}                                                      \
		good_;                                                 \
	})

#define EXPECT(COND) KTAP_CHECK(COND, false, "expected %s", #COND)
#define ASSERT(COND) KTAP_CHECK(COND, true, "expected %s", #COND)

#define KTAP_EQ(A, B, STOP)                                                                      \
	({                                                                                       \
		long long a_ = (long long)(A), b_ = (long long)(B);                              \
		KTAP_CHECK(a_ == b_, STOP, "expected %s == %s, got %lld and %lld", #A, #B, a_, b_); \
	})
#define EXPECT_EQ(A, B) KTAP_EQ(A, B, false)
#define ASSERT_EQ(A, B) KTAP_EQ(A, B, true)

#define KTAP_STREQ(A, B, STOP)                                                              \
	({                                                                                  \
		const char *a_ = (A), *b_ = (B);                                            \
		KTAP_CHECK(a_ && b_ && !strcmp(a_, b_), STOP,                               \
			   "expected %s to be \"%s\", got \"%s\"", #A, b_ ? b_ : "(null)",  \
			   a_ ? a_ : "(null)");                                             \
	})
#define EXPECT_STREQ(A, B) KTAP_STREQ(A, B, false)
#define ASSERT_STREQ(A, B) KTAP_STREQ(A, B, true)

/* For calls that return a value below zero and set errno. */
#define KTAP_OK(CALL, STOP)                                                                 \
	({                                                                                  \
		__typeof__(CALL) ret_ = (CALL);                                             \
		int err_ = errno;                                                           \
		KTAP_CHECK(ret_ >= 0, STOP, "%s failed: %s", #CALL, strerror(err_));        \
		ret_;                                                                       \
	})
#define EXPECT_OK(CALL) KTAP_OK(CALL, false)
#define ASSERT_OK(CALL) KTAP_OK(CALL, true)

#define KTAP_ERR(CALL, WANT, STOP)                                                             \
	({                                                                                     \
		errno = 0;                                                                     \
		long long ret_ = (long long)(CALL);                                            \
		int err_ = errno;                                                              \
		KTAP_CHECK(ret_ < 0 && err_ == (WANT), STOP, "expected %s to fail with %s, got %lld (%s)", \
			   #CALL, strerrorname_np(WANT), ret_, err_ ? strerrorname_np(err_) : "no error"); \
	})
#define EXPECT_ERR(CALL, WANT) KTAP_ERR(CALL, WANT, false)
#define ASSERT_ERR(CALL, WANT) KTAP_ERR(CALL, WANT, true)

#endif /* SELFTESTS_KTAP_H */
