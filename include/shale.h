/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libshale's public face: one C function per verb of the engine.
 *
 * Every verb returns 0, or -1 with *err filled; outputs are untouched on failure. Nothing in the
 * library prints or exits. A verb that may take long reports through the progress callback, which
 * is also how it is cancelled. The kernel's interface is not here but in <linux/shale.h>.
 */
#ifndef SHALE_H
#define SHALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHALE_VERSION "0.1"

/*
 * What went wrong, for a person and for a program.
 * @code: a positive errno; EINVAL for input that is wrong in itself, ECANCELED when the progress
 *        callback asked to stop.
 * @msg:  one sentence, outermost context first, without a newline.
 */
struct shale_err {
	int code;
	char msg[1024];
};

/* "sha256:" and 64 hex digits with their NUL. */
#define SHALE_DIGEST_TEXT 72

enum shale_event_kind {
	SHALE_EVENT_READ,	/* an archive is being read: done, and total if known */
	SHALE_EVENT_COPY,	/* a layer's blob is being copied and checked */
	SHALE_EVENT_WAIT,	/* another command is bringing the layer in */
	SHALE_EVENT_UNPACK,	/* a layer is being unpacked; done counts compressed bytes */
	SHALE_EVENT_LAYER_DONE, /* it is complete */
	SHALE_EVENT_CONNECT,	/* a registry is waited for: name of the image, nothing moves */
	SHALE_EVENT_RESOLVED,	/* what the name stands for is known: its layers follow */
	SHALE_EVENT_PLANNED,	/* a layer will be brought */
	SHALE_EVENT_EXISTS,	/* a layer's blob is there already */
	SHALE_EVENT_DOWNLOAD,	/* a layer's blob is being downloaded */
	SHALE_EVENT_VERIFY,	/* what came of it before is being checked */
	SHALE_EVENT_DOWNLOADED, /* it is there, and has its digest */
	SHALE_EVENT_PREPARED,	/* a blob will be pushed */
	SHALE_EVENT_PUSH,	/* it is being sent */
	SHALE_EVENT_PUSHED,	/* the registry has it now */
	SHALE_EVENT_PUSH_EXISTS, /* the registry had it */
	SHALE_EVENT_MOUNTED,	/* the registry has it from its repository name */
	SHALE_EVENT_TAKEN,	/* a name is taken, for the image of the next event, from the one with this id */
	SHALE_EVENT_IMAGE,	/* an image is in the store: id, and name unless it has none */
	SHALE_EVENT_MADE,	/* an image was made from a tar of files: id */
	SHALE_EVENT_UNTAGGED,	/* name */
	SHALE_EVENT_DELETED,	/* id of an image or a layer */
	SHALE_EVENT_CONTAINER,	/* id of a writable layer that was deleted */
};

/* Strings live until the callback returns. */
struct shale_event {
	enum shale_event_kind kind;
	const char *id; /* of a layer its blob's digest, of an image its ID */
	const char *name;
	uint64_t done;
	uint64_t total; /* 0: not known */
};

/*
 * What every verb takes.
 * @root:     the store's directory.
 * @progress: may be NULL. Never called by two threads at once, but not always by the caller's. While
 *            bytes move it is called at least once a MiB; a return other than 0 cancels the verb
 *            with ECANCELED.
 */
struct shale_opts {
	const char *root;
	int (*progress)(void *arg, const struct shale_event *event);
	void *arg;
};

/*
 * Import every image of an OCI layout (a directory, or a tar of one) or of a docker-archive; or the files
 * of a root directory in a tar, as an image of one layer. A tar may be gzip or zstd compressed. All of
 * its images, or on failure none.
 * @source:	    "-" is standard input.
 * @fd:		    what is read when has_fd, from where it stands; the source is then only what it is called.
 * @name:	    what to call it; the source must then have one image. NULL: as the source says.
 * @max_layer_bytes: refuse a layer whose plain tar, or an archive's member which, is larger; 0 means
 *		    SHALE_MAX_LAYER_BYTES.
 */
#define SHALE_MAX_LAYER_BYTES (128ull << 30)
struct shale_import_opts {
	const char *source;
	const char *name;
	uint64_t max_layer_bytes;
	bool has_fd;
	int fd;
	bool only_images;    /* refuse the tar of a root directory */
	const char *message; /* for the history of one; NULL: where it came from */
	const char *platform; /* of one: OS/ARCH[/VARIANT]; NULL: this machine's */
	const char *const *changes; /* of one, as of shale_commit_opts */
	size_t change_count;
};
int shale_import(const struct shale_opts *opts, const struct shale_import_opts *import,
		 struct shale_err *err);

/*
 * How registries are talked to. All fields may be 0.
 * @username, @password, @identity_token, @registry_token: who we are: user and password, an OAuth2 refresh
 *		 token, or a bearer token that is sent as it is. Otherwise: auth_file; $REGISTRY_AUTH_FILE;
 *		 $XDG_RUNTIME_DIR/containers/auth.json; $DOCKER_CONFIG/config.json or
 *		 ~/.docker/config.json; and the credential helpers these name. The first that knows the
 *		 registry.
 * @auth_file:	 a file like docker's config.json.
 * @is_anonymous: without the four above, nobody: no file is asked. For who works on behalf of others.
 * @certs_dir:	 a directory with *.crt, and NAME.cert with NAME.key. Otherwise
 *		 /etc/containers/certs.d/HOST:PORT or /etc/docker/certs.d/HOST:PORT.
 * @registries_conf: podman's file of mirrors, which are asked first. Otherwise $CONTAINERS_REGISTRIES_CONF,
 *		 ~/.config/containers/registries.conf or /etc/containers/registries.conf.
 * @is_insecure: certificates are not checked, and plain http will do, also for credentials. Registries on
 *		 this machine (127.0.0.0/8, localhost, ::1) are always talked to in this way.
 * @stall_seconds: give a transfer up in which nothing moves for so long; 0: 60.
 * @takes_schema1: pull also what a registry only has in docker's schema 1, of before 2016: its signature is verified,
 *		 which says that it is unchanged and not whose it is, and it is converted. registries.conf can allow it
 *		 for single registries with "schema1 = true".
 * @tries:	 how often a request is sent that fails for no fault of its own, when nothing comes of it; 0: 5.
 *		 Between tries the time doubles from half a second, or is what the registry asks for.
 */
struct shale_registry_opts {
	const char *username;
	const char *password;
	const char *identity_token;
	const char *registry_token;
	const char *auth_file;
	const char *certs_dir;
	const char *registries_conf;
	bool is_anonymous;
	bool is_insecure;
	bool takes_schema1;
	unsigned int stall_seconds;
	unsigned int tries;
};

/*
 * Pull an image from a registry. What was downloaded outlives a failure, a kill and a restart, and the next
 * pull goes on from there; a week after the last byte it is deleted. Of several pulls of one image at a time,
 * in any number of processes, one does the work and the others wait for it.
 * @name:	as people write it: NAME, NAME:TAG or NAME@DIGEST.
 * @platform:	OS/ARCH[/VARIANT] to choose of an index, and to insist on; NULL: what runs here.
 * @is_download_only: leave the layers' blobs where the next pull finds them, and make no image.
 * @max_layer_bytes: as of shale_import_opts; for a layer's blob as well.
 */
struct shale_pull_opts {
	const char *name;
	const char *platform;
	bool is_download_only;
	uint64_t max_layer_bytes;
	struct shale_registry_opts registry;
};
struct shale_pulled {
	char digest[SHALE_DIGEST_TEXT]; /* of what the name stands for in the registry, maybe an index */
	char id[SHALE_DIGEST_TEXT];	/* of the image */
	bool is_new;			/* the name stood for another image, or for none */
};
int shale_pull(const struct shale_opts *opts, const struct shale_pull_opts *pull,
	       struct shale_pulled *ret_pulled, struct shale_err *err);

/*
 * Push an image, or all of an image index that is in the store, byte for byte. What the registry has is not
 * sent; what another repository of it has, as the store's names tell, is mounted there; an upload that breaks
 * goes on where it stood.
 * @name: of the image in the store, which says where to.
 */
struct shale_push_opts {
	const char *name;
	struct shale_registry_opts registry;
};
struct shale_pushed {
	char digest[SHALE_DIGEST_TEXT]; /* of the manifest */
	uint64_t size;			/* of the manifest */
};
int shale_push(const struct shale_opts *opts, const struct shale_push_opts *push,
	       struct shale_pushed *ret_pushed, struct shale_err *err);

/*
 * The tags of a repository in its registry, as JSON text to be freed: an array of strings, in the registry's order. ENOENT:
 * there is no such repository, or none for us; E2BIG for more than a hundred thousand. Needs no store.
 */
int shale_remote_tags(const struct shale_opts *opts, const char *name, const struct shale_registry_opts *registry,
		      char **ret_json, struct shale_err *err);

/*
 * What a name stands for in its registry, as docker's API answers it: an object with its descriptor and its platforms,
 * JSON text to be freed. Needs no store.
 */
int shale_distribution(const struct shale_opts *opts, const char *name,
		       const struct shale_registry_opts *registry, char **ret_json,
		       struct shale_err *err);

/*
 * Ask a registry whether it knows the user of @registry, and keep user and password where docker keeps them:
 * with the credential helper its config.json names, or in it. Logging out forgets them: ENOENT when there
 * are none.
 * @host: as in image names; NULL is docker.io.
 */
int shale_login(const struct shale_registry_opts *registry, const char *host,
		struct shale_err *err);
/*
 * The same without keeping anything. *ret_identity_token: what to log in with from now on instead of the password, to
 * be freed; NULL when the registry gives none.
 */
int shale_login_check(const struct shale_registry_opts *registry, const char *host,
		      char **ret_identity_token, struct shale_err *err);
int shale_logout(const struct shale_registry_opts *registry, const char *host,
		 struct shale_err *err);

/* One name of an image; an image without a name has NULL for repository and tag. */
struct shale_image {
	char *repository; /* as people write it: "debian" */
	char *tag;
	char id[SHALE_DIGEST_TEXT];	/* digest of the config */
	char digest[SHALE_DIGEST_TEXT]; /* digest of the manifest */
	int64_t created;		/* seconds since the epoch, 0: not known */
	uint64_t size;			/* bytes of file content in all layers */
};
struct shale_image_list {
	size_t count;
	struct shale_image *images; /* newest first */
};
/* @filter: a name without tag for all its tags, a name with one, or NULL for all images. */
int shale_images(const struct shale_opts *opts, const char *filter,
		 struct shale_image_list *ret_list, struct shale_err *err);
void shale_image_list_free(struct shale_image_list *list);

/*
 * What docker's API answers about all images, as JSON text to be freed: an array of objects, newest first, one for
 * each image ID; and with Descriptor its manifest.
 */
int shale_summaries(const struct shale_opts *opts, char **ret_json, struct shale_err *err);

/*
 * Remove a name, or by ID an image, which deletes what nothing else needs. EBUSY while a layer that
 * would go is mounted; ETOOMANYREFS for an ID with several names, unless force.
 */
int shale_rmi(const struct shale_opts *opts, const char *name, bool force, struct shale_err *err);

/* Give an image, by name or ID, one more name, which another image may lose by it. */
int shale_tag(const struct shale_opts *opts, const char *source, const char *target,
	      struct shale_err *err);

/*
 * What docker's API answers about an image, as JSON text to be freed: an array of the steps it was made
 * in, newest first, and an object with all about it.
 */
int shale_history(const struct shale_opts *opts, const char *name, char **ret_json,
		  struct shale_err *err);
int shale_inspect(const struct shale_opts *opts, const char *name, char **ret_json,
		  struct shale_err *err);

/* Takes what a verb writes: 0, or -1 with errno. */
struct shale_sink {
	int (*write)(void *arg, const void *data, size_t len);
	void *arg;
};

/*
 * Images as one tar, which docker and tools for OCI layouts can load. A name without a tag is all tags
 * of the repository; an image given by ID has no name there.
 */
int shale_save(const struct shale_opts *opts, const char *const *names, size_t count,
	       const struct shale_sink *sink, struct shale_err *err);

/*
 * The directories of an image's layers, topmost first, for mounting. They cannot be removed before
 * shale_layers_put(), which has to follow soon: nothing can be imported or removed meanwhile. Once
 * they are mounted, the mount itself protects them.
 */
struct shale_layers {
	char id[SHALE_DIGEST_TEXT];
	size_t count;
	char **paths;
	int lock_fd;
};
int shale_layers_get(const struct shale_opts *opts, const char *name,
		     struct shale_layers *ret_layers, struct shale_err *err);
void shale_layers_put(struct shale_layers *layers);

/*
 * Mount an image on a directory. err->code ENODEV: the storage driver does not work here, and the message says
 * what to do.
 * @driver:	 "shale", "overlay2", "btrfs" or "vfs"; NULL: the first of them that works.
 * @options:	 as mount(8) takes them, without layers; may be NULL. Only driver shale has some of its own.
 * @is_writable: give the mount a writable layer of its own, in the store.
 */
struct shale_mount_opts {
	const char *image;
	const char *target;
	const char *driver;
	const char *options;
	bool is_writable;
};
struct shale_mounted {
	char driver[16];
	char container[13]; /* the writable layer's ID, "" if there is none */
	char warning[1536]; /* what was remarked, "" if nothing */
};
int shale_mount(const struct shale_opts *opts, const struct shale_mount_opts *mount,
		struct shale_mounted *ret_mounted, struct shale_err *err);

/*
 * Which storage driver mounts here use: the named one if it works, or for NULL the first that does. Makes the store
 * if there is none. err->code ENODEV: as for shale_mount().
 */
#define SHALE_DRIVER_TEXT 16
int shale_driver(const struct shale_opts *opts, const char *name,
		 char ret_name[SHALE_DRIVER_TEXT], struct shale_err *err);

/*
 * Unmount, and remove the writable layer that shale_mount() gave it.
 * @is_lazy:	     let who is using it go on; the writable layer then stays.
 * @keeps_container: leave the writable layer in the store.
 */
struct shale_umount_opts {
	const char *target;
	bool is_lazy;
	bool keeps_container;
};
int shale_umount(const struct shale_opts *opts, const struct shale_umount_opts *umount,
		 struct shale_err *err);

/*
 * What changed in a writable layer, as docker's API answers it: an array of objects with Path and Kind (0 changed,
 * 1 added, 2 deleted), JSON text to be freed. NAME is the layer's ID, or a directory on which it is mounted.
 */
int shale_diff(const struct shale_opts *opts, const char *name, char **ret_json,
	       struct shale_err *err);

/* What a writable layer takes on disk, beside the layers below it. */
struct shale_usage {
	uint64_t inodes;
	uint64_t bytes;
};
int shale_usage(const struct shale_opts *opts, const char *name, struct shale_usage *ret_usage,
		struct shale_err *err);

/*
 * An image of what changed in a writable layer, on top of the image below it. The layer may be mounted; who writes to
 * it meanwhile gets some of it into the image.
 * @container:	as for shale_diff().
 * @name:	what to call the image; may be NULL.
 * @created_by:	what the history says was done; may be NULL, as author and message may.
 * @changes:	a Dockerfile's instructions: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER
 *		VOLUME WORKDIR.
 */
struct shale_commit_opts {
	const char *container;
	const char *name;
	const char *author;
	const char *message;
	const char *created_by;
	const char *const *changes;
	size_t change_count;
	const char *config;	    /* of a container, JSON: takes the place of what the image says of how to run it; or NULL */
	const char *const *skipped; /* files without content and directories without files there are left out: a runtime's */
	size_t skipped_count;
};
int shale_commit(const struct shale_opts *opts, const struct shale_commit_opts *commit,
		 char ret_id[SHALE_DIGEST_TEXT], struct shale_err *err);

/*
 * Volumes: directories of the store with a name. What docker's API answers about one, as JSON text to be freed; for
 * all, an array. ENOENT: there is none of that name.
 * @name:   two or more of letters, digits, "_.-"; NULL makes one up.
 * @labels: a JSON object of texts, or NULL.
 */
int shale_volumes(const struct shale_opts *opts, char **ret_json, struct shale_err *err);
int shale_volume_inspect(const struct shale_opts *opts, const char *name, char **ret_json,
			 struct shale_err *err);
/* One that is there already is answered as it is. */
int shale_volume_create(const struct shale_opts *opts, const char *name, const char *labels,
			char **ret_json, bool *ret_is_new, struct shale_err *err);
/* With all that is in it. ret_bytes, of content, may be NULL. */
int shale_volume_remove(const struct shale_opts *opts, const char *name, uint64_t *ret_bytes,
			struct shale_err *err);
/* Bytes of content. */
int shale_volume_size(const struct shale_opts *opts, const char *name, uint64_t *ret_bytes,
		      struct shale_err *err);

/*
 * What the store takes. An image is in use while its topmost layer is mounted or a writable layer of it
 * is there, a writable layer while it is mounted.
 * @reclaimable: bytes that nobody who is active needs.
 */
struct shale_df_total {
	uint64_t total;
	uint64_t active;
	uint64_t size;
	uint64_t reclaimable;
};
struct shale_df_image {
	char digest[SHALE_DIGEST_TEXT];
	uint64_t shared; /* content of layers other images have too */
	uint64_t unique;
	uint64_t containers;
	bool is_active;
};
struct shale_df_container {
	char id[13];
	char image[SHALE_DIGEST_TEXT]; /* the image's ID, "" if it is not known */
	int64_t created;
	uint64_t size;
	bool is_mounted;
};
struct shale_df {
	struct shale_df_total images;     /* content of the files in layers, and in drivers' whole trees */
	struct shale_df_total blobs;      /* the layers as they came, and documents */
	struct shale_df_total containers; /* content of the files in writable layers */
	struct shale_df_total downloads;  /* what pulls have fetched and not finished; active: a pull works on it */
	size_t image_count;
	struct shale_df_image *image_list;
	size_t container_count;
	struct shale_df_container *container_list; /* oldest first */
};
int shale_df(const struct shale_opts *opts, struct shale_df *ret_df, struct shale_err *err);
void shale_df_free(struct shale_df *df);

/*
 * Remove writable layers that are not mounted, images not in use: those without a name, or all, and downloads
 * that no pull works on: those nobody came back for in a week, or all.
 * What nothing needs then goes too. Tells what went by events, SHALE_EVENT_CONTAINER among them.
 * @before:	 only what was created before this time; 0: whenever.
 * @keeps_containers, @keeps_images: only the others go.
 * @select:	 asked for each image whether it may go, with its config; may be NULL.
 */
struct shale_prune_opts {
	bool is_all;
	int64_t before;
	bool keeps_containers;
	bool keeps_images;
	bool (*select)(void *arg, const char *config);
	void *select_arg;
};
int shale_prune(const struct shale_opts *opts, const struct shale_prune_opts *prune,
		uint64_t *ret_reclaimed, struct shale_err *err);

/*
 * Compare everything in the store with what it should be: the database with itself and with the files,
 * blobs with their digests, layers with their sizes. EUCLEAN when something is wrong and stays so;
 * each finding is told.
 * @is_repairing: mend it. What is damaged is brought again, from the blob or from a registry, or else the
 *	      image that needs it is dropped. EBUSY when commands are at work that must not be disturbed.
 * @registry: how registries are asked for blobs, by the names of the images that need them. NULL: none is.
 */
enum shale_finding_state {
	SHALE_FINDING_FOUND,
	SHALE_FINDING_REPAIRED,
	SHALE_FINDING_DROPPED,
	SHALE_FINDING_LEFT, /* it should have been repaired, and could not be */
};
struct shale_finding {
	const char *kind; /* database, index, image, blob, layer, container, volume, session */
	const char *id;
	const char *problem;
	enum shale_finding_state state;
};
struct shale_check_opts {
	bool is_repairing;
	const struct shale_registry_opts *registry;
	void (*finding)(void *arg, const struct shale_finding *finding);
	void *finding_arg;
};
int shale_check(const struct shale_opts *opts, const struct shale_check_opts *check,
		struct shale_err *err);

#endif
