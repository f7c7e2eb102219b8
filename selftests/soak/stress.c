// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress.c - the unattended load: workers that check every result against a model (model.c), and around
 * them processes that disturb: a storm of changes in a shared directory, cold caches, sync, remounting
 * read-only and back, other mounts of the same layers coming and going. From time to time everything
 * pauses, the union is unmounted and mounted again, and every model is compared whole.
 *
 * stress DIR SECONDS [WORKERS [SEED]]	DIR: on the backing filesystem, empty or missing
 *
 * Exit status 0 when nothing differed. SHALE_TEST_FSTYPE as in selftests/fs/union.h (shale, overlay, bare).
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAYERS	     3
#define WORKERS_MAX  16
#define PAUSE_EVERY  30 /* seconds between remounts of everything */
#define SHARED_NAMES 24

struct shared {
	volatile int should_pause, should_stop;
	int paused;	      /* processes that wait */
	int failed;
	unsigned long done;
};

static struct shared *shared;
static const char *const layers[LAYERS] = {"l0", "l1", "l2"};
static int process_count;

static const char *fstype(void)
{
	const char *type = getenv("SHALE_TEST_FSTYPE");

	return type && *type ? type : "shale";
}

static bool is_bare(void)
{
	return !strcmp(fstype(), "bare");
}

static void die(const char *what)
{
	printf("soak: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void mount_union(const char *target, const char *upper, const char *work)
{
	char options[256];

	snprintf(options, sizeof(options), "lowerdir=l0:l1:l2,upperdir=%s,workdir=%s%s", upper, work,
		 !strcmp(fstype(), "overlay") ? ",redirect_dir=on,index=on,xino=on" : "");
	if (mount("soak", target, fstype(), 0, options) < 0)
		die("mount");
}

/* Whether to go on; waits here while the union is away. */
static bool should_go_on(void)
{
	if (shared->should_pause && !shared->should_stop) {
		__atomic_add_fetch(&shared->paused, 1, __ATOMIC_SEQ_CST);
		while (shared->should_pause && !shared->should_stop)
			usleep(5000);
		__atomic_sub_fetch(&shared->paused, 1, __ATOMIC_SEQ_CST);
	}
	return !shared->should_stop;
}

static void start(void (*run)(void *), void *argument)
{
	fflush(stdout);
	process_count++;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(argument);
		fflush(stdout);
		_exit(0);
	}
}

static void fail(void)
{
	__atomic_store_n(&shared->failed, 1, __ATOMIC_SEQ_CST);
	shared->should_stop = 1;
}

/* Compares all that is there after every remount, which is when should_go_on() has waited. */
static void run_model(void *argument)
{
	struct model *model = argument;

	for (;;) {
		bool was_paused = shared->should_pause;

		if (!should_go_on())
			break;
		if (!(was_paused ? model_verify(model) : true) || !model_step(model)) {
			fail();
			return;
		}
	}
	if (!shared->failed && !model_verify(model))
		fail();
	__atomic_add_fetch(&shared->done, model_done(model), __ATOMIC_SEQ_CST);
}

static void expect_errno(const char *what, long ret, const int *allowed)
{
	if (ret >= 0)
		return;
	for (; *allowed; allowed++)
		if (errno == *allowed)
			return;
	printf("soak: %s in the shared directory: %s\n", what, strerror(errno));
	fail();
}

/* Everybody changes the same names: results are open, errors are not. */
static void run_storm(void *argument)
{
	static const int fine[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EROFS, EINVAL, EXDEV, EBUSY,
				   ELOOP, ESTALE, 0};
	char from[64], to[64];
	unsigned int seed = (unsigned int)(long)argument;

	srandom(seed);
	while (should_go_on()) {
		long what = random() % 10;
		int fd;

		snprintf(from, sizeof(from), "m/shared/s%ld%s", random() % SHARED_NAMES,
			 random() % 3 ? "" : "/x");
		snprintf(to, sizeof(to), "m/shared/s%ld%s", random() % SHARED_NAMES,
			 random() % 3 ? "" : "/x");
		errno = 0;
		switch (what) {
		case 0:
		case 1:
			fd = open(from, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
			expect_errno("open", fd, fine);
			if (fd >= 0 && write(fd, to, sizeof(to)) < 0)
				expect_errno("write", -1, fine);
			if (fd >= 0)
				close(fd);
			break;
		case 2:
			expect_errno("mkdir", mkdir(from, 0755), fine);
			break;
		case 3:
			expect_errno("rmdir", rmdir(from), fine);
			break;
		case 4:
			expect_errno("unlink", unlink(from), fine);
			break;
		case 5:
		case 6:
			expect_errno("rename", rename(from, to), fine);
			break;
		case 7:
			expect_errno("exchange",
				     renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE), fine);
			break;
		case 8:
			if (link(from, to) < 0 && errno != EPERM)
				expect_errno("link", -1, fine);
			break;
		default:
			expect_errno("chmod", chmod(from, 0644 | (random() & 0111)), fine);
			break;
		}
	}
}

static void run_caches(void *argument)
{
	(void)argument;
	while (should_go_on()) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "2", 1) != 1)
			perror("drop_caches");
		close(fd);
		usleep(700000);
		sync();
	}
}

static void run_remount(void *argument)
{
	(void)argument;
	while (should_go_on()) {
		usleep(300000);
		if (!should_go_on())
			break;
		if (mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
			usleep(2000);
		else if (errno != EBUSY)
			die("remount read-only");
		if (mount(NULL, "m", NULL, MS_REMOUNT, NULL) < 0)
			die("remount read-write");
	}
}

/* Another union of the same lower layers, used a little and taken away, over and over. */
static void run_mounts(void *argument)
{
	char command[512];

	(void)argument;
	while (should_go_on()) {
		mount_union("n", "u2", "w2");
		snprintf(command, sizeof(command),
			 "cd n && ls -lR . >/dev/null && for i in 0 2 4; do echo x >>shared/s$i 2>/dev/null; "
			 "done; mv w0 z 2>/dev/null; mv z w0 2>/dev/null; rm -rf w1; true");
		if (system(command) != 0) {
			printf("soak: the second mount failed\n");
			fail();
		}
		while (umount2("n", 0) < 0) {
			if (errno != EBUSY)
				die("umount of the second mount");
			usleep(10000);
		}
		usleep(100000);
	}
}

static void pause_and_remount(void)
{
	shared->should_pause = 1;
	while (shared->paused < process_count && !shared->should_stop)
		usleep(10000);
	if (!shared->should_stop && !is_bare()) {
		if (umount2("m", 0) < 0)
			die("umount");
		mount_union("m", "u", "w");
	}
	shared->should_pause = 0;
}

static void prepare(const char *dir)
{
	char path[128];

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die(dir);
	if (chdir(dir) < 0)
		die(dir);
	static const char *const names[] = {"l0", "l1", "l2", "u", "w", "u2", "w2", "m", "n"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (mkdir(names[i], 0755) < 0)
			die(names[i]);
	for (int i = 0; i < SHARED_NAMES; i++) {
		snprintf(path, sizeof(path), "%s/shared", layers[i % LAYERS]);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/shared/s%d", layers[i % LAYERS], i);
		if (i % 2)
			mkdir(path, 0755);
		else
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
}

static void start_all(int workers, unsigned int seed)
{
	struct model *model[WORKERS_MAX];
	const char *mount_dir = "m", *bare_layers[1] = {"m"};
	char name[16];

	for (int i = 0; i < workers; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		model[i] = model_create(is_bare() ? bare_layers : layers, is_bare() ? 1 : LAYERS, mount_dir,
					name, seed + i);
	}
	if (is_bare())
		mkdir("m/shared", 0755);
	else
		mount_union("m", "u", "w");
	for (int i = 0; i < workers; i++)
		start(run_model, model[i]);
	start(run_storm, (void *)(long)seed);
	start(run_storm, (void *)(long)(seed + 1));
	start(run_caches, NULL);
	if (is_bare())
		return;
	start(run_remount, NULL);
	start(run_mounts, NULL);
}

int main(int argc, char **argv)
{
	int workers = argc > 3 ? atoi(argv[3]) : 4, status;
	unsigned int seed = argc > 4 ? (unsigned int)atoi(argv[4]) : (unsigned int)time(NULL);
	time_t end, next;

	if (argc < 3 || workers < 1 || workers > WORKERS_MAX) {
		fprintf(stderr, "usage: stress DIR SECONDS [WORKERS [SEED]]\n");
		return 2;
	}
	end = time(NULL) + atoi(argv[2]);
	next = time(NULL) + PAUSE_EVERY;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prepare(argv[1]);
	printf("soak: %d workers for %s seconds, seed %u\n", workers, argv[2], seed);
	start_all(workers, seed);
	while (time(NULL) < end && !shared->should_stop) {
		usleep(200000);
		if (time(NULL) < next)
			continue;
		pause_and_remount();
		next = time(NULL) + PAUSE_EVERY;
	}
	shared->should_stop = 1;
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			shared->failed = 1;
	if (!is_bare() && umount2("m", 0) < 0)
		die("umount at the end");
	printf("soak: %lu operations took effect, %s\n", shared->done, shared->failed ? "FAILED" : "all right");
	return shared->failed;
}
