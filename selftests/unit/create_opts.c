// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of shale create and run: the body that they make of a command line, and what is said of one that makes no sense.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "shale/create_opts.h"
#include "store/json.h"

#define MAX_WORDS 24

/* Words are parted by blanks; '~' stands for a blank. */
static size_t split(char *line, char **words)
{
	size_t count = 0;
	char *rest = NULL;

	words[count++] = "run";
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		for (char *at = word; *at; at++)
			*at = *at == '~' ? ' ' : *at;
		words[count++] = word;
	}
	words[count] = NULL;
	return count;
}

static int parse(char *line, struct create_opts *opts, struct shale_err *err)
{
	static const struct option first[] = { { "help", no_argument, NULL, 'H' }, { 0 } };
	const struct option *longs = create_opts_longs(first, true);
	char *words[MAX_WORDS];
	int count = split(line, words);
	int opt;

	ASSERT_EQ(create_opts_init(opts, err), 0);
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(count, words, create_opts_shorts(true), longs, NULL)) != -1)
		if (opt == '?' || opt == ':' || create_opts_take(opts, opt, optarg, err))
			return -1;
	return create_opts_finish(opts, words + optind, err);
}

struct good {
	struct ktap_row row;
	const char *line;
	const char *body; /* beside Image, and streams that are attached; of HostConfig alone if it begins with '[' */
};

static const struct good goods[] = {
	{ { "nothing", "nothing but an image" }, "i", "{}" },
	{ { "command", "a command, with options of its own" }, "i ls -l --all", "{\"Cmd\":[\"ls\",\"-l\",\"--all\"]}" },
	{ { "flags", "flags together" }, "-it i", "{\"OpenStdin\":true,\"StdinOnce\":true,\"Tty\":true,\"AttachStdin\":true}" },
	{ { "false", "a flag that is taken back" }, "--tty=false i", "{\"Tty\":false}" },
	{ { "texts", "texts" }, "-h a -u b -w /c --domainname d --stop-signal e i",
	  "{\"Hostname\":\"a\",\"User\":\"b\",\"WorkingDir\":\"/c\",\"Domainname\":\"d\",\"StopSignal\":\"e\"}" },
	{ { "entrypoint", "an entry point is one word" }, "--entrypoint a~b i c", "{\"Entrypoint\":[\"a b\"],\"Cmd\":[\"c\"]}" },
	{ { "no_entrypoint", "none is an empty one" }, "--entrypoint= i", "{\"Entrypoint\":[\"\"]}" },
	{ { "env", "variables, of the command line and of ours" }, "-e A=1 -e B= -eC=a=b -e SHALE_OWN -e SHALE_GONE i",
	  "{\"Env\":[\"A=1\",\"B=\",\"C=a=b\",\"SHALE_OWN=ours\",\"SHALE_GONE\"]}" },
	{ { "env_file", "a file of variables stands behind" }, "-e A=2 --env-file env i",
	  "{\"Env\":[\"A=1 \",\"B=\",\"SHALE_OWN=ours\",\"A=2\"]}" },
	{ { "labels", "labels" }, "-l a=b --label c --label-file labels i",
	  "{\"Labels\":{\"a\":\"b\",\"c\":\"\",\"d\":\"e f\",\"g\":\"\"}}" },
	{ { "healthcheck", "no health check" }, "--no-healthcheck i", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
	{ { "bytes", "sizes" }, "-m 1.5g --memory-swap -1 --shm-size 64MiB --memory-reservation 5 i",
	  "{\"HostConfig\":{\"Memory\":1610612736,\"MemorySwap\":-1,\"ShmSize\":67108864,\"MemoryReservation\":5}}" },
	{ { "cpus", "processors" }, "--cpus 1.25 -c 7 --cpu-period 3 --cpu-quota 4 --cpuset-cpus 0-1 i",
	  "{\"HostConfig\":{\"NanoCpus\":1250000000,\"CpuShares\":7,\"CpuPeriod\":3,\"CpuQuota\":4,\"CpusetCpus\":\"0-1\"}}" },
	{ { "ulimit", "limits of processes" }, "--ulimit nofile=1:2 --ulimit core=-1 i",
	  "{\"HostConfig\":{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":2},{\"Name\":\"core\",\"Soft\":-1,\"Hard\":-1}]}}" },
	{ { "caps", "capabilities" }, "--cap-add sys_time --cap-add=ALL --cap-drop CAP_CHOWN i",
	  "{\"HostConfig\":{\"CapAdd\":[\"CAP_SYS_TIME\",\"ALL\"],\"CapDrop\":[\"CAP_CHOWN\"]}}" },
	{ { "restart", "restart policies" }, "--restart on-failure:3 i",
	  "{\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}}}" },
	{ { "log", "log drivers" }, "--log-opt a=b --log-driver none i",
	  "{\"HostConfig\":{\"LogConfig\":{\"Type\":\"none\",\"Config\":{\"a\":\"b\"}}}}" },
	{ { "maps", "maps" }, "--storage-opt size=1G --sysctl a.b=1 i",
	  "{\"HostConfig\":{\"StorageOpt\":{\"size\":\"1G\"},\"Sysctls\":{\"a.b\":\"1\"}}}" },
	{ { "network", "a network has two names" }, "--net none i", "{\"HostConfig\":{\"NetworkMode\":\"none\"}}" },
	{ { "rm", "removal, and what cannot be had" }, "--rm --read-only --privileged --init -P i",
	  "{\"HostConfig\":{\"AutoRemove\":true,\"ReadonlyRootfs\":true,\"Privileged\":true,\"Init\":true,\"PublishAllPorts\":true}}" },
	{ { "volumes", "volumes" }, "-v /a:/b -v v:/c:ro -v /d i",
	  "{\"Volumes\":{\"/d\":{}},\"HostConfig\":{\"Binds\":[\"/a:/b\",\"v:/c:ro\"]}}" },
	{ { "relative", "a directory of ours" }, "-v .:/a -v ./x:/b:ro --mount type=bind,src=./y,dst=/c i",
	  "{\"HostConfig\":{\"Binds\":[\"@:/a\",\"@/./x:/b:ro\"],\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"@/./y\",\"Target\":\"/c\"}]}}" },
	{ { "tmpfs", "memory filesystems" }, "--tmpfs /a --tmpfs /b:size=1m,ro i", "{\"HostConfig\":{\"Tmpfs\":{\"/a\":\"\",\"/b\":\"size=1m,ro\"}}}" },
	{ { "mount", "mounts with all their words" },
	  "--mount TYPE=Bind,\"source=/a,b\",destination=/c,ro,bind-propagation=rslave,bind-nonrecursive=true "
	  "--mount dst=/d,volume-nocopy,volume-label=x=y,volume-driver=local,volume-opt=o=p,src=v --mount type=tmpfs,target=/e,tmpfs-size=1k,tmpfs-mode=1777 i",
	  "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a,b\",\"Target\":\"/c\",\"ReadOnly\":true,\"BindOptions\":{\"Propagation\":\"rslave\",\"NonRecursive\":true}},"
	  "{\"Type\":\"volume\",\"Target\":\"/d\",\"Source\":\"v\",\"VolumeOptions\":{\"NoCopy\":true,\"Labels\":{\"x\":\"y\"},\"DriverConfig\":{\"Name\":\"local\",\"Options\":{\"o\":\"p\"}}}},"
	  "{\"Type\":\"tmpfs\",\"Target\":\"/e\",\"TmpfsOptions\":{\"SizeBytes\":1024,\"Mode\":1023}}]}}" },
};

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* In a directory of its own, which '@' in a row stands for. */
static void enter(char *dir)
{
	ASSERT(mkdtemp(dir) != NULL);
	ASSERT_OK(chdir(dir));
	setenv("SHALE_OWN", "ours", 1);
	unsetenv("SHALE_GONE");
	write_file("env", "\xef\xbb\xbf# none\n\n\t A=1 \nB=\r\nSHALE_OWN\nSHALE_GONE\n");
	write_file("labels", "d=e f\ng\na=of the file\n");
}

static void leave(const char *dir)
{
	unlink("env");
	unlink("labels");
	ASSERT_OK(chdir("/"));
	rmdir(dir);
}

static json_t *expected(const char *body, const char *dir)
{
	__cleanup_buf struct buf text = BUF_INIT;
	json_t *json;

	for (; *body; body++)
		if (*body == '@')
			buf_adds(&text, dir);
		else
			buf_addc(&text, *body);
	json = json_loads(text.data, 0, NULL);
	ASSERT(json != NULL);
	json_object_set_new(json, "Image", json_string("i"));
	json_object_set_new(json, "AttachStdout", json_true());
	json_object_set_new(json, "AttachStderr", json_true());
	if (!json_object_get(json, "HostConfig"))
		json_object_set_new(json, "HostConfig", json_object());
	return json;
}

TEST_TABLE(good, struct good, goods, c)
{
	__cleanup_create_opts struct create_opts opts = CREATE_OPTS_NONE;
	char dir[] = "/tmp/create_opts.XXXXXX";
	struct shale_err err = { 0 };
	char line[2048];
	json_t *want;

	enter(dir);
	snprintf(line, sizeof(line), "%s", c->line);
	EXPECT_EQ(parse(line, &opts, &err), 0);
	EXPECT_STREQ(err.msg, "");
	want = expected(c->body, dir);
	if (!json_equal(opts.config, want)) {
		EXPECT(!"the body is another one");
		json_dumpf(opts.config, stderr, JSON_SORT_KEYS | JSON_INDENT(1));
	}
	json_decref(want);
	leave(dir);
}

struct bad {
	struct ktap_row row;
	const char *line;
	const char *message;
};

static const struct bad bads[] = {
	{ { "image", "no image" }, "-t", "an image is missing" },
	{ { "bool", "a flag that is neither" }, "--rm=no i", "invalid argument \"no\" for \"--rm\" flag: parsing \"no\": invalid syntax" },
	{ { "size", "a size in words" }, "-m much i", "invalid argument \"much\" for \"-m, --memory\" flag: invalid size: 'much'" },
	{ { "unit", "a unit there is not" }, "--shm-size 5x i", "invalid argument \"5x\" for \"--shm-size\" flag: invalid size: '5x'" },
	{ { "huge", "a size beyond all" }, "-m 9999999999t i", "invalid argument \"9999999999t\" for \"-m, --memory\" flag: invalid size: '9999999999t'" },
	{ { "number", "a number with more behind it" }, "--pids-limit 5x i", "invalid argument \"5x\" for \"--pids-limit\" flag: parsing \"5x\": invalid syntax" },
	{ { "precise", "too many digits" }, "--cpus 0.0000000001 i", "invalid argument \"0.0000000001\" for \"--cpus\" flag: value is too precise" },
	{ { "env", "a variable without a name" }, "-e =x i", "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x" },
	{ { "blanks", "blanks in a file's name of a variable" }, "--env-file bad i",
	  "invalid argument \"bad\" for \"--env-file\" flag: bad: variable 'a b' contains whitespaces" },
	{ { "quotes", "quotes in the middle" }, "--mount type=b\"d i", "invalid argument \"type=b\"d\" for \"--mount\" flag: bare \" in non-quoted field" },
	{ { "open", "quotes that do not end" }, "--mount \"type=b i", "invalid argument \"\"type=b\" for \"--mount\" flag: extraneous or missing \" in quoted-field" },
	{ { "value", "a key without its value" }, "--mount type i", "invalid argument \"type\" for \"--mount\" flag: invalid field 'type' must be a key=value pair" },
	{ { "mode", "a mode that is not octal" }, "--mount type=tmpfs,dst=/a,tmpfs-mode=9 i",
	  "invalid argument \"type=tmpfs,dst=/a,tmpfs-mode=9\" for \"--mount\" flag: invalid value for tmpfs-mode: 9" },
	{ { "attach", "a stream there is not" }, "-a x i", "invalid argument \"x\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR" },
	{ { "detached", "attached and detached" }, "-d -a stdin i", "conflicting options: cannot specify both --attach and --detach" },
	{ { "utf8", "what is no text" }, "-w \xff i", "invalid argument \"\xff\" for \"-w, --workdir\" flag: '\xff' is not UTF-8" },
};

TEST_TABLE(bad, struct bad, bads, c)
{
	__cleanup_create_opts struct create_opts opts = CREATE_OPTS_NONE;
	char dir[] = "/tmp/create_opts.XXXXXX";
	struct shale_err err = { 0 };
	char line[2048];

	enter(dir);
	write_file("bad", "a b=c\n");
	snprintf(line, sizeof(line), "%s", c->line);
	EXPECT_EQ(parse(line, &opts, &err), -1);
	EXPECT_STREQ(err.msg, c->message);
	unlink("bad");
	leave(dir);
}
