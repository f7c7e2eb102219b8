/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * shale_disk.h - the bytes shale leaves in a layer, for the module and for every tool that reads or
 * writes layers. All integers are little-endian. "P." below stands for "trusted.", or "user." where
 * the mount has userxattr.
 *
 * Whiteouts, opaque directories and redirects are written in overlayfs's own format, so that an upper
 * is also a valid overlayfs upper:
 *
 *	char device 0:0		the name is deleted
 *	P.overlay.opaque	"y": nothing below this directory shows
 *	P.overlay.redirect	the name ("dir") or the path from the layers' root ("/a/dir") under
 *				which the lower layers have this directory
 *
 * Read as well, in lower layers: P.overlay.metacopy, P.overlay.whiteout (an empty file that is a
 * whiteout, inside a directory whose P.overlay.opaque is "x"), and AUFS's names:
 *
 *	.wh.NAME		NAME is deleted
 *	.wh..wh..opq		the directory that holds it is opaque
 *
 * What is ours:
 *
 *	P.shale.origin		struct shale_disk_origin, on an object that was copied up: which
 *				object of a lower layer it was. Gives it the same st_ino for ever.
 *	P.shale.nlink		on an indexed hard link: "U+N" or "U-N", N added to the upper's link
 *				count gives st_nlink (N counts names still only in lower layers);
 *				"=N" while a lower name is given its link: st_nlink is N
 *	P.shale.whiteout	on a layer's root: "overlay" or "aufs", the only family of whiteouts
 *				in this layer; saves looking for the other
 *	P.shale.impure		"y" on an upper directory that may hold objects with an origin
 *	P.shale.map		struct shale_disk_map, on a partial file: which of its blocks live in
 *				this layer; the others are the lower file's
 *	.shale/			at the layer's root, never shown
 *	.shale/index/KEY	a hard link to a copied-up file that has other names below. KEY is the
 *				hexadecimal form of its struct shale_disk_origin.
 *	.shale/moved/KEY	a symbolic link, about an object with that origin which was renamed: "T:H/NAME",
 *				a file handle of the upper's directory it is in now (its type and its
 *				bytes, hexadecimal) and its name there. Only finds objects for file
 *				handles made before the rename. If the directory is there, it has all
 *				of them; it is not before the first handle is made, and may be removed.
 *	.shale/map/ID		a map too large for its xattr: struct shale_disk_map_sector. ID is the map's,
 *				in 16 hexadecimal digits.
 */
#ifndef _UAPI_LINUX_SHALE_DISK_H
#define _UAPI_LINUX_SHALE_DISK_H

#include <linux/types.h>

#define SHALE_XATTR_PREFIX   "shale."
#define OVERLAY_XATTR_PREFIX "overlay."

#define SHALE_XATTR_ORIGIN   SHALE_XATTR_PREFIX "origin"
#define SHALE_XATTR_NLINK    SHALE_XATTR_PREFIX "nlink"
#define SHALE_XATTR_WHITEOUT SHALE_XATTR_PREFIX "whiteout"
#define SHALE_XATTR_IMPURE   SHALE_XATTR_PREFIX "impure"
#define SHALE_XATTR_MAP	     SHALE_XATTR_PREFIX "map"

#define OVERLAY_XATTR_OPAQUE   OVERLAY_XATTR_PREFIX "opaque"
#define OVERLAY_XATTR_REDIRECT OVERLAY_XATTR_PREFIX "redirect"
#define OVERLAY_XATTR_METACOPY OVERLAY_XATTR_PREFIX "metacopy"
#define OVERLAY_XATTR_WHITEOUT OVERLAY_XATTR_PREFIX "whiteout"

#define AUFS_WHITEOUT_PREFIX ".wh."
#define AUFS_WHITEOUT_OPAQUE ".wh..wh..opq"

#define SHALE_INDEX_DIR "index"
#define SHALE_MOVED_DIR "moved"
#define SHALE_MAP_DIR	"map"

#define SHALE_DISK_ORIGIN_VERSION 1

/* 32 bytes; version first, so that a longer one can follow. */
struct shale_disk_origin {
	__u8 version;	  /* SHALE_DISK_ORIGIN_VERSION */
	__u8 reserved[3]; /* zero */
	__le32 generation; /* i_generation of the lower inode */
	__le64 ino;	  /* its i_ino */
	__u8 uuid[16];	  /* s_uuid of the filesystem it is on */
};

/*
 * The map of a partial file: for each block of 4096 bytes, is it in this layer's file ("mapped") or still
 * in the lower one? A block at or above the limit counts as mapped and has no bit. A bit once written as set
 * is never written as clear.
 *
 * The xattr holds the struct below, always 64 bytes. With SHALE_DISK_MAP_INLINE it is followed by the
 * mapped runs in ascending order, as pairs of numbers: the unmapped blocks since the run before, and the
 * mapped ones. Only the first gap may be zero: runs that touch are one run. A number is stored seven bits
 * a byte, the lowest first, the highest bit set in all bytes but the last, without needless bytes. So a
 * map has one encoding. With SHALE_DISK_MAP_SIDECAR nothing follows, and the bits are in .shale/map/ID.
 *
 * ext4 keeps all xattrs of an inode in one block, beside what the user sets: with origin, an ACL
 * and a label a quarter of it is what a map may take. A filesystem with smaller blocks may refuse even
 * that, and gets a sidecar.
 *
 * "crc" is CRC-32C (as in iSCSI and SCTP) of all bytes, with itself as zero.
 */
#define SHALE_DISK_MAP_MAGIC	   0x4d4c4853 /* "SHLM" */
#define SHALE_DISK_MAP_VERSION	   1
#define SHALE_DISK_MAP_BLOCK_SHIFT 12
#define SHALE_DISK_MAP_INLINE_MAX  1024 /* bytes of an xattr, header included */

/* Bits of flags: exactly one of them. */
#define SHALE_DISK_MAP_INLINE  (1U << 0)
#define SHALE_DISK_MAP_SIDECAR (1U << 1)

/* The largest limit, 16 TiB, ext4's largest file: it bounds what reading hostile bytes may take (75 MB).
 * A file with a larger lower one is not promoted by a map. */
#define SHALE_DISK_MAP_LIMIT_MAX (1ULL << 44)

struct shale_disk_map {
	__le32 magic;	  /* SHALE_DISK_MAP_MAGIC */
	__le32 crc;	  /* of header and payload */
	__u8 version;	  /* SHALE_DISK_MAP_VERSION */
	__u8 block_shift; /* SHALE_DISK_MAP_BLOCK_SHIFT */
	__le16 flags;
	__le32 payload;	  /* bytes that follow */
	__le64 limit;	  /* the offset below which an unmapped block shows the lower's bytes */
	__le64 id;	  /* of the sidecar, not zero; zero without one */
	/* What the lower file was at promotion. If it is not that any more, the file cannot be read. */
	__le64 lower_size; /* not below the limit */
	__le64 lower_mtime; /* seconds since 1970, signed */
	__le64 lower_ctime;
	__le32 lower_mtime_nsec;
	__le32 lower_ctime_nsec;
};

/*
 * The sidecar is an array of sectors of 512 bytes, each sealed by its own checksum and carrying its place.
 * A disk writes a sector whole, so after a crash in the middle of a write each sector is either the old
 * one or the new one, and both are good: bits are independent and are never cleared, so a mix has at
 * least the blocks that were saved before, and none whose data is not there. Anything else (a misplaced
 * write, a flipped bit, a stale block, zeros where a sector must be) does not pass the checks, and makes the
 * file unreadable instead of wrong.
 *
 * Eight sectors are a page of 4096 bytes. Page 1 + i has the bits of blocks i * 28672 up to (i + 1) *
 * 28672 (112 MiB). Page 0 has the same form: its bit g says that the eight pages of group g, from page
 * 1 + 8 * g on, are there. Where it does not, no block of the group is mapped and what is in the file has
 * no meaning. A group's pages are written, all of them, and are stable before its bit is written.
 */
#define SHALE_DISK_MAP_SECTOR_MAGIC 0x534c4853 /* "SHLS" */
#define SHALE_DISK_MAP_SECTOR_SIZE  512
#define SHALE_DISK_MAP_SECTOR_WORDS 56
#define SHALE_DISK_MAP_SECTOR_BITS  (64 * SHALE_DISK_MAP_SECTOR_WORDS)
#define SHALE_DISK_MAP_PAGE_SIZE    4096
#define SHALE_DISK_MAP_PAGE_SECTORS 8
#define SHALE_DISK_MAP_PAGE_BITS    (SHALE_DISK_MAP_PAGE_SECTORS * SHALE_DISK_MAP_SECTOR_BITS)
#define SHALE_DISK_MAP_GROUP_PAGES  8

struct shale_disk_map_sector {
	__le32 magic;	   /* SHALE_DISK_MAP_SECTOR_MAGIC */
	__le32 crc;	   /* of the sector */
	__u8 version;	   /* SHALE_DISK_MAP_VERSION */
	__u8 block_shift;  /* SHALE_DISK_MAP_BLOCK_SHIFT */
	__u8 reserved[6];  /* zero */
	__le64 id;	   /* the map's */
	__le64 number;	   /* the sector's offset in the file / 512 */
	__u8 reserved2[32]; /* zero */
	__le64 bits[SHALE_DISK_MAP_SECTOR_WORDS]; /* bit b is bit b % 64 of bits[b / 64] */
};

#endif /* _UAPI_LINUX_SHALE_DISK_H */
