/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * shale.h - what user space and the shale filesystem say to each other.
 *
 * Three doors lead into the module: mount options, ioctls and generic netlink.
 *
 * Mount options (fsconfig(2) or mount(2)'s string; topmost layer first):
 *
 *	lowerdir=A:B:C		read-only layers; ':' and ',' inside a name are written "\:" and "\,"
 *	lowerdir+		one more layer below those given so far: a path (at most 255 bytes, the
 *				kernel's limit for one fsconfig string) or a directory descriptor
 *	upperdir= workdir=	the writable layer and its scratch directory, on one filesystem
 *	volatile		never sync the upper; the work directory is marked until it is cleaned
 *	userxattr		private attributes live in user.* instead of trusted.*
 *	whiteout=both|overlay|aufs	which whiteouts are honoured in lower layers
 *	cow=auto|block|clone|copy	what the first write to a lower file brings into the upper: the
 *				blocks it touches (block), all of the file, by sharing its blocks where
 *				both layers can (clone) or not (copy), or what shale thinks best (auto)
 *	xino= redirect_dir= index= metacopy= nfs_export=
 *				overlayfs's words for what shale always does: "on", and what means
 *				the same, is accepted; "off" is refused
 *
 * Ioctls work on any open file or directory of a mount, FILE_MAP and MATERIALIZE on regular files. Each
 * takes a struct that begins with its own size in bytes; a size the module does not know is refused with
 * EINVAL, as is any flag or reserved field that is not zero. A descriptor that is not on shale gives
 * ENOTTY.
 *
 *	SHALE_IOC_VERSION	which interface and features this module has
 *	SHALE_IOC_STACK		the path of one layer of the mount
 *	SHALE_IOC_STATS		the mount's counters
 *	SHALE_IOC_FILE_MAP	which layers a file's bytes are in
 *	SHALE_IOC_MATERIALIZE	makes a file need no lower layer
 *
 * Generic netlink family "shale", version 1. SHALE_CMD_GET_MOUNT with NLM_F_DUMP answers one message
 * for each mount of the caller's user namespace or its descendants (all of them with CAP_SYS_ADMIN in
 * the initial one), carrying SHALE_A_* as listed at the enum. The multicast group "events" carries
 * SHALE_CMD_MOUNTED, SHALE_CMD_UNMOUNTED, SHALE_CMD_COPIED_UP and SHALE_CMD_MAP_ERROR; listening needs
 * CAP_NET_ADMIN. Events are best effort: a listener that reads too slowly loses some and gets ENOBUFS from
 * recv(2).
 *
 * SHALE_CMD_MAP_ERROR: a file could not be opened that has only some of its bytes in the layer it was found
 * in. ERROR says why, as open(2) did:
 *
 *	EIO		the map of what it has is missing or damaged, or the file below it, which has the
 *			other bytes, is gone or not what it was
 *	EOPNOTSUPP	the map is of a later version
 *	other		what reading the layer failed with
 *
 * The event comes once for each such file until the kernel forgets the file; the counter map_errors
 * counts every time.
 */
#ifndef _UAPI_LINUX_SHALE_H
#define _UAPI_LINUX_SHALE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* statfs(2) f_type: "SHLE" */
#define SHALE_SUPER_MAGIC 0x53484c45

/* Layers in one mount, the upper included. Each costs the kernel one private vfsmount. */
#define SHALE_MAX_LAYERS 4096

/* The directory at a layer's root that is ours and never shown. */
#define SHALE_PRIVATE_DIR ".shale"

#define SHALE_VERSION_MAJOR 0
#define SHALE_VERSION_MINOR 2

/* Feature bits of shale_ioc_version.features */
#define SHALE_FEATURE_FILE_COW	     (1ULL << 0) /* lower files can be copied up whole: cow=copy */
#define SHALE_FEATURE_REDIRECT	     (1ULL << 1) /* directories of lower layers can be renamed */
#define SHALE_FEATURE_INDEX	     (1ULL << 2) /* hard links survive copy-up */
#define SHALE_FEATURE_AUFS_WHITEOUTS (1ULL << 3) /* .wh. names are honoured in lower layers */
#define SHALE_FEATURE_LOWERDIR_ADD   (1ULL << 4) /* the "lowerdir+" parameter exists */
#define SHALE_FEATURE_NFS_EXPORT     (1ULL << 5) /* file handles can be taken and opened */
#define SHALE_FEATURE_IDMAP	     (1ULL << 6) /* the mount itself can be idmapped */
#define SHALE_FEATURE_BLOCK_COW	     (1ULL << 7) /* and by blocks: cow=block, FILE_MAP, MATERIALIZE */

/* What the module is. Errors: EINVAL, EFAULT. */
struct shale_ioc_version {
	__u32 size;	/* in: sizeof(struct shale_ioc_version) */
	__u32 flags;	/* in: zero */
	__u32 major;	/* out: changes when old programs would break */
	__u32 minor;	/* out: changes when something is added */
	__u64 features; /* out: SHALE_FEATURE_* */
	__u64 reserved[2];
};

/* Flags of shale_ioc_stack.layer_flags */
#define SHALE_LAYER_UPPER	  (1U << 0) /* the writable layer */
#define SHALE_LAYER_AUFS	  (1U << 1) /* .wh. names are honoured here */
#define SHALE_LAYER_OVERLAY	  (1U << 2) /* overlayfs's whiteouts are honoured here */

/*
 * One layer. index 0 is the top of the stack: the upper where there is one, else the first lower.
 * Errors: EINVAL, EFAULT, ENOENT (no layer of that index), ERANGE (path_size is too small; path_len
 * then says what it takes).
 */
struct shale_ioc_stack {
	__u32 size;	   /* in: sizeof(struct shale_ioc_stack) */
	__u32 flags;	   /* in: zero */
	__u32 index;	   /* in: which layer */
	__u32 count;	   /* out: how many layers the mount has */
	__u64 path_ptr;	   /* in: buffer for the path as it was given at mount, NUL included */
	__u32 path_size;   /* in: bytes at path_ptr */
	__u32 path_len;	   /* out: bytes the path takes, NUL included */
	__u32 layer_flags; /* out: SHALE_LAYER_* */
	__u32 reserved0;
	__u64 reserved[2];
};

/* Counters since the mount was made. Errors: EINVAL, EFAULT. */
struct shale_ioc_stats {
	__u32 size;	       /* in: sizeof(struct shale_ioc_stats) */
	__u32 flags;	       /* in: zero */
	__u64 mount_id;	       /* out: unique for each mount since the module was loaded */
	__u64 copy_ups;	       /* out: objects of lower layers brought into the upper */
	__u64 copy_up_bytes;   /* out: bytes of file data copied for them */
	__u64 copy_up_errors;  /* out: copy-ups that failed */
	__u64 lookups;	       /* out: names looked up because no dentry was cached */
	__u64 layer_lookups;   /* out: lookups in single layers made for them */
	__u64 whiteouts;       /* out: whiteouts written */
	__u64 redirects;       /* out: directories of lower layers renamed */
	__u64 merged_dirs;     /* out: merged directory listings built */
	__u64 block_copy_ups;  /* out: those of copy_ups that got a file without its data */
	__u64 block_bytes;     /* out: bytes copied into such files later: the rest of a block that is
				* written in part, and what MATERIALIZE brings */
	__u64 map_errors;      /* out: files that could not be opened, see SHALE_CMD_MAP_ERROR */
	__u64 reserved[3];
};

/* Bytes of a file that stand together in one layer, where they may be a hole: lseek(2) tells. */
struct shale_file_run {
	__u64 offset;
	__u64 length;	/* not zero */
	__u32 layer;	/* index as in shale_ioc_stack */
	__u32 reserved; /* zero */
};

/* Bits of shale_ioc_file_map.state */
#define SHALE_FILE_MORE	   (1U << 0) /* there are runs after the last one returned */
#define SHALE_FILE_PARTIAL (1U << 1) /* the file needs layers below "layer", even where no run says so */

/*
 * Which layers a regular file's bytes are in. The runs are in order, without gaps, from the offset asked for
 * to the end of the file, and neighbours are of different layers; a file that is in one layer is one run.
 * Where there is no room for all, asking on from the end of the last one gives the rest. Each run was true at
 * some moment of the call.
 *
 * With count zero no run is returned: count says how many there are, owned and shared are of all of them.
 *
 * Errors: EINVAL, EFAULT, EISDIR (a directory), EINTR (a fatal signal).
 */
struct shale_ioc_file_map {
	__u32 size;	 /* in: sizeof(struct shale_ioc_file_map) */
	__u32 flags;	 /* in: zero */
	__u64 offset;	 /* in: the first byte of interest; none is beyond the end of the file */
	__u64 runs_ptr;	 /* in: array of struct shale_file_run */
	__u32 count;	 /* in: room at runs_ptr, in runs; out: runs returned */
	__u32 layer;	 /* out: the topmost layer that has the file: whose attributes it has */
	__u32 state;	 /* out: SHALE_FILE_* */
	__u32 reserved0;
	__u64 file_size; /* out: st_size */
	__u64 limit;	 /* out: no byte from this offset on is of a layer below "layer" */
	__u64 owned;	 /* out: of the runs of this answer, bytes of the upper */
	__u64 shared;	 /* out: bytes of lower layers, whose cache and disk space other mounts share */
	__u64 reserved[4];
};

/*
 * Fills a regular file of the upper with all bytes it shows of lower layers, so that it needs them no more,
 * and syncs it. A file of a lower layer is copied up whole. Nothing of it seems to change, except st_blocks
 * and st_ctime; open descriptors and mappings stay. Holes stay holes. A file that needs no lower layer is left
 * as it is.
 *
 * The descriptor must be open for writing. A fatal signal or an error ends it with the file as good as it was,
 * and partial; what was filled is not lost, so it can be tried again.
 *
 * Errors: EINVAL, EFAULT, EISDIR (a directory), EBADF (not open for writing), EROFS, EINTR, and those of
 * reading a layer or writing to the upper, such as EIO, ENOSPC and EDQUOT.
 */
struct shale_ioc_materialize {
	__u32 size;  /* in: sizeof(struct shale_ioc_materialize) */
	__u32 flags; /* in: zero */
	__u64 reserved[3];
};

#define SHALE_IOC_MAGIC	      0xe6
#define SHALE_IOC_VERSION     _IOWR(SHALE_IOC_MAGIC, 0, struct shale_ioc_version)
#define SHALE_IOC_STACK	      _IOWR(SHALE_IOC_MAGIC, 1, struct shale_ioc_stack)
#define SHALE_IOC_STATS	      _IOWR(SHALE_IOC_MAGIC, 2, struct shale_ioc_stats)
#define SHALE_IOC_FILE_MAP    _IOWR(SHALE_IOC_MAGIC, 3, struct shale_ioc_file_map)
#define SHALE_IOC_MATERIALIZE _IOWR(SHALE_IOC_MAGIC, 4, struct shale_ioc_materialize)

#define SHALE_GENL_NAME	   "shale"
#define SHALE_GENL_VERSION 1
#define SHALE_GENL_GROUP   "events"

enum shale_cmd {
	SHALE_CMD_UNSPEC,
	SHALE_CMD_GET_MOUNT, /* dump: MOUNT_ID DEV LAYERS WRITABLE UPPER? STATS */
	SHALE_CMD_MOUNTED,   /* event: MOUNT_ID DEV LAYERS WRITABLE UPPER? */
	SHALE_CMD_UNMOUNTED, /* event: MOUNT_ID DEV */
	SHALE_CMD_COPIED_UP, /* event: MOUNT_ID DEV INO MODE BYTES */
	SHALE_CMD_MAP_ERROR, /* event: MOUNT_ID DEV INO ERROR PATH? */
	__SHALE_CMD_MAX,
};
#define SHALE_CMD_MAX (__SHALE_CMD_MAX - 1)

enum shale_attr {
	SHALE_A_UNSPEC,
	SHALE_A_PAD,
	SHALE_A_MOUNT_ID, /* u64: as in shale_ioc_stats */
	SHALE_A_DEV,	  /* u32: the mount's st_dev, new_encode_dev() form */
	SHALE_A_LAYERS,	  /* u32: layers in the stack */
	SHALE_A_WRITABLE, /* flag: there is an upper and the mount is not read-only */
	SHALE_A_UPPER,	  /* string: the upper directory as given at mount */
	SHALE_A_INO,	  /* u64: st_ino */
	SHALE_A_MODE,	  /* u32: st_mode */
	SHALE_A_BYTES,	  /* u64: file data copied */
	SHALE_A_STATS,	  /* nested: SHALE_A_STAT_* */
	SHALE_A_ERROR,	  /* u32: an errno */
	SHALE_A_PATH,	  /* string: a name of the file, from the mount's root; not if it is too long */
	__SHALE_A_MAX,
};
#define SHALE_A_MAX (__SHALE_A_MAX - 1)

/* All u64, in the words of struct shale_ioc_stats. */
enum shale_stat_attr {
	SHALE_A_STAT_UNSPEC,
	SHALE_A_STAT_PAD,
	SHALE_A_STAT_COPY_UPS,
	SHALE_A_STAT_COPY_UP_BYTES,
	SHALE_A_STAT_COPY_UP_ERRORS,
	SHALE_A_STAT_LOOKUPS,
	SHALE_A_STAT_LAYER_LOOKUPS,
	SHALE_A_STAT_WHITEOUTS,
	SHALE_A_STAT_REDIRECTS,
	SHALE_A_STAT_MERGED_DIRS,
	SHALE_A_STAT_BLOCK_COPY_UPS,
	SHALE_A_STAT_BLOCK_BYTES,
	SHALE_A_STAT_MAP_ERRORS,
	__SHALE_A_STAT_MAX,
};
#define SHALE_A_STAT_MAX (__SHALE_A_STAT_MAX - 1)

#endif /* _UAPI_LINUX_SHALE_H */
