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
 *	.shale/			at the layer's root, never shown
 *	.shale/index/KEY	a hard link to a copied-up file that has other names below. KEY is the
 *				hexadecimal form of its struct shale_disk_origin.
 *	.shale/moved/KEY	a symbolic link, about an object with that origin which was renamed: "T:H/NAME",
 *				a file handle of the upper's directory it is in now (its type and its
 *				bytes, hexadecimal) and its name there. Only finds objects for file
 *				handles made before the rename; may be removed.
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

#define OVERLAY_XATTR_OPAQUE   OVERLAY_XATTR_PREFIX "opaque"
#define OVERLAY_XATTR_REDIRECT OVERLAY_XATTR_PREFIX "redirect"
#define OVERLAY_XATTR_METACOPY OVERLAY_XATTR_PREFIX "metacopy"
#define OVERLAY_XATTR_WHITEOUT OVERLAY_XATTR_PREFIX "whiteout"

#define AUFS_WHITEOUT_PREFIX ".wh."
#define AUFS_WHITEOUT_OPAQUE ".wh..wh..opq"

#define SHALE_INDEX_DIR "index"
#define SHALE_MOVED_DIR "moved"

#define SHALE_DISK_ORIGIN_VERSION 1

/* 32 bytes; version first, so that a longer one can follow. */
struct shale_disk_origin {
	__u8 version;	  /* SHALE_DISK_ORIGIN_VERSION */
	__u8 reserved[3]; /* zero */
	__le32 generation; /* i_generation of the lower inode */
	__le64 ino;	  /* its i_ino */
	__u8 uuid[16];	  /* s_uuid of the filesystem it is on */
};

#endif /* _UAPI_LINUX_SHALE_DISK_H */
