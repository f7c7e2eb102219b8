// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of S3 that are put together of ranges of others by S3 itself: copies of what is too large for one
 * request, and the pieces of what was written in steps. All parts but the last have a least size; where a
 * source has less, its bytes and the next ones' are read and sent as a part of their own. Called by
 * s3_pieces.c, and through the vtable of remote_store.h.
 *
 * An upload that fails is aborted. One that dies with its server leaves parts that cost money and that no
 * listing shows: such ones are looked for after an upload, at most once an hour, and aborted when they
 * are a day old.
 */
#include "registry/s3.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_spool.h"
#include "registry/remote_xml.h"

#define SWEEP_SECONDS 3600
/* An upload's id: AWS's have 128 letters. */
#define MAX_UPLOAD_ID 1024

struct upload {
	struct s3_store *store;
	const char *to;
	char *id;
	struct s3_plan plan;
	char (*etags)[REMOTE_MAX_ETAG]; /* of the parts */
};

static void upload_release(struct upload *upload)
{
	free(upload->id);
	free(upload->etags);
	s3_plan_release(&upload->plan);
}

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

/* Up to max bytes of a source from offset on into the file. */
static int gather_source(struct s3_store *store, const struct s3_source *source, uint64_t offset,
			 uint64_t max, struct remote_spool *spool, struct shale_err *err)
{
	__cleanup(stream_closep) struct remote_stream *stream = NULL;
	uint64_t left = source->len - offset < max ? source->len - offset : max;
	struct remote_info info;
	char piece[16384];
	ssize_t got;

	if (s3_open(&store->base, source->key, offset, false, &info, &stream, err) < 0)
		return -1;
	while (left) {
		got = stream ? remote_stream_read(stream, piece, left < sizeof(piece) ? left : sizeof(piece), err)
			     : 0;
		if (got <= 0)
			return got < 0 ? -1 : shale_err_set(err, EIO, "%s: shorter than it was",
							    remote_store_path(&store->base, source->key));
		if (remote_spool_write(spool, store->base.spool_dir, piece, got, err) < 0)
			return -1;
		left -= got;
	}
	return 0;
}

static int gather_part(const struct upload *upload, const struct s3_part *part,
		       struct remote_spool *spool, struct shale_err *err)
{
	uint64_t offset = part->offset;
	size_t source = part->source;

	while (spool->len < part->len) {
		uint64_t before = spool->len;

		if (gather_source(upload->store, &upload->plan.sources[source], offset, part->len - before,
				  spool, err) < 0)
			return -1;
		s3_plan_advance(&upload->plan, &source, &offset, spool->len - before);
	}
	return 0;
}

static int keep_etag(char ret_etag[REMOTE_MAX_ETAG], const char *etag, const struct s3_call *call,
		     struct shale_err *err)
{
	if (!etag || !*etag || strlen(etag) >= REMOTE_MAX_ETAG)
		return shale_err_set(err, EIO, "%s: S3 gives a part no ETag", buf_str(&call->what));
	memcpy(ret_etag, etag, strlen(etag) + 1);
	return 0;
}

static int send_part(struct upload *upload, size_t index, const char *number,
		     struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(upload->store, "PUT", upload->to);
	__cleanup(remote_spool_release) struct remote_spool spool = REMOTE_SPOOL_INIT;
	__cleanup_answer struct remote_answer answer = { 0 };
	char hash[SIGV4_HEX];

	if (gather_part(upload, &upload->plan.parts[index], &spool, err) < 0 ||
	    remote_spool_finish(&spool, &call.body, hash, err) < 0)
		return -1;
	call.hash = hash;
	s3_call_param(&call, "partNumber", number);
	s3_call_param(&call, "uploadId", upload->id);
	if (s3_call_run(&call, &answer, err) < 0)
		return -1;
	return keep_etag(upload->etags[index], remote_answer_header(&answer, "etag"), &call, err);
}

struct word {
	const char *path;
	char *text;
	size_t size;
};

static int take_word(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct word *word = ctx;

	if (strcmp(path, word->path))
		return 0;
	if (strlen(text) >= word->size)
		return shale_err_set(err, EIO, "S3 sends a %s that is too long", path);
	memcpy(word->text, text, strlen(text) + 1);
	return 0;
}

static int read_word(const struct remote_answer *answer, const char *path, char *text, size_t size,
		     struct shale_err *err)
{
	struct word word = { path, text, size };

	text[0] = '\0';
	return remote_xml_read(buf_str(&answer->body), answer->body.len, "an answer of S3", take_word,
			       &word, err);
}

/* "/bucket/key", encoded. */
static int source_name(const struct s3_store *store, const char *key, struct buf *ret_name,
		       struct shale_err *err)
{
	if (buf_addc(ret_name, '/') < 0 || remote_url_encode(ret_name, store->bucket, false) < 0 ||
	    buf_addc(ret_name, '/') < 0 || remote_url_encode(ret_name, key, true) < 0)
		return shale_err_errno(err, "%s", key);
	return 0;
}

static int copy_part(struct upload *upload, size_t index, const char *number,
		     struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(upload->store, "PUT", upload->to);
	const struct s3_part *part = &upload->plan.parts[index];
	const struct s3_source *source = &upload->plan.sources[part->source];
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf name = BUF_INIT;
	char etag[REMOTE_MAX_ETAG];
	char range[64];

	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, part->offset,
		 part->offset + part->len - 1);
	if (source_name(upload->store, source->key, &name, err) < 0)
		return -1;
	call.is_work = true;
	s3_call_param(&call, "partNumber", number);
	s3_call_param(&call, "uploadId", upload->id);
	s3_call_header(&call, "x-amz-copy-source", buf_str(&name));
	s3_call_header(&call, "x-amz-copy-source-range", part->len < source->len ? range : NULL);
	if (s3_call_run(&call, &answer, err) < 0 ||
	    read_word(&answer, "CopyPartResult/ETag", etag, sizeof(etag), err) < 0)
		return -1;
	return keep_etag(upload->etags[index], etag, &call, err);
}

static int make_part(void *ctx, size_t index, struct shale_err *err)
{
	struct upload *upload = ctx;
	struct shale_err why = { 0 };
	char number[16];

	snprintf(number, sizeof(number), "%zu", index + 1);
	if (upload->plan.parts[index].is_copy) {
		if (copy_part(upload, index, number, &why) == 0)
			return 0;
		/* Some stores copy no parts: then they get them from us. */
		if (why.code != ENOTSUP) {
			if (err)
				*err = why;
			return -1;
		}
	}
	return send_part(upload, index, number, err);
}

static int upload_begin(struct upload *upload, struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(upload->store, "POST", upload->to);
	__cleanup_answer struct remote_answer answer = { 0 };
	char id[MAX_UPLOAD_ID];

	s3_call_param(&call, "uploads", "");
	s3_call_header(&call, "content-type", "application/octet-stream");
	s3_call_for_writing(&call);
	if (s3_call_run(&call, &answer, err) < 0 ||
	    read_word(&answer, "InitiateMultipartUploadResult/UploadId", id, sizeof(id), err) < 0)
		return -1;
	if (!id[0])
		return shale_err_set(err, EIO, "%s: S3 gives its upload no id", buf_str(&call.what));
	upload->id = strdup(id);
	return upload->id ? 0 : shale_err_errno(err, "%s", buf_str(&call.what));
}

static void upload_abort(struct s3_store *store, const char *key, const char *id)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(store, "DELETE", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	s3_call_param(&call, "uploadId", id);
	s3_call_run(&call, &answer, NULL);
}

static int add_escaped(struct buf *xml, const char *text)
{
	for (; *text; text++)
		if (*text == '"' ? buf_adds(xml, "&quot;") < 0
		    : *text == '&' ? buf_adds(xml, "&amp;") < 0
		    : *text == '<' ? buf_adds(xml, "&lt;") < 0
				   : buf_addc(xml, *text) < 0)
			return -1;
	return 0;
}

static int list_parts(const struct upload *upload, struct buf *ret_xml, struct shale_err *err)
{
	if (buf_adds(ret_xml, "<CompleteMultipartUpload>") < 0)
		return shale_err_errno(err, "finishing an upload");
	for (size_t i = 0; i < upload->plan.count; i++)
		if (buf_addf(ret_xml, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1) < 0 ||
		    add_escaped(ret_xml, upload->etags[i]) < 0 ||
		    buf_adds(ret_xml, "</ETag></Part>") < 0)
			return shale_err_errno(err, "finishing an upload");
	if (buf_adds(ret_xml, "</CompleteMultipartUpload>") < 0)
		return shale_err_errno(err, "finishing an upload");
	return 0;
}

/*
 * The upload is gone: an answer was lost and the request repeated, and then the object is there, of our
 * size and our number of parts.
 */
static bool is_finished(const struct upload *upload)
{
	struct remote_info info;
	char parts[24];
	const char *dash;

	snprintf(parts, sizeof(parts), "-%zu\"", upload->plan.count);
	if (s3_head(&upload->store->base, upload->to, &info, NULL) < 0)
		return false;
	dash = strrchr(info.etag, '-');
	return info.size == upload->plan.len && dash && !strcmp(dash, parts);
}

static int upload_finish(struct upload *upload, struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(upload->store, "POST", upload->to);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf xml = BUF_INIT;
	struct shale_err why = { 0 };
	char hash[SIGV4_HEX];

	if (list_parts(upload, &xml, err) < 0 || sigv4_hash(xml.data, xml.len, hash, err) < 0)
		return -1;
	call.body = (struct remote_body){ .data = xml.data, .fd = -1, .len = xml.len };
	call.hash = hash;
	call.is_work = true;
	s3_call_param(&call, "uploadId", upload->id);
	s3_call_header(&call, "content-type", "application/xml");
	if (s3_call_run(&call, &answer, &why) == 0 || (why.code == ENOENT && is_finished(upload)))
		return 0;
	if (err)
		*err = why;
	return -1;
}

/* What a sweep finds in a list of uploads. */
struct sweep {
	struct s3_store *store;
	char key[REMOTE_MAX_KEY + 1];
	char id[MAX_UPLOAD_ID];
	int64_t begun;
};

static int sweep_element(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct sweep *sweep = ctx;

	(void)err;
	if (!strcmp(path, "ListMultipartUploadsResult/Upload/Key"))
		snprintf(sweep->key, sizeof(sweep->key), "%s", text);
	else if (!strcmp(path, "ListMultipartUploadsResult/Upload/UploadId"))
		snprintf(sweep->id, sizeof(sweep->id), "%s", text);
	else if (!strcmp(path, "ListMultipartUploadsResult/Upload/Initiated"))
		sweep->begun = s3_parse_time(text);
	if (strcmp(path, "ListMultipartUploadsResult/Upload"))
		return 0;
	if (sweep->begun && time(NULL) - sweep->begun > sweep->store->abandon_seconds && sweep->key[0] &&
	    sweep->id[0] && !strncmp(sweep->key, sweep->store->base.root, strlen(sweep->store->base.root)))
		upload_abort(sweep->store, sweep->key, sweep->id);
	sweep->key[0] = sweep->id[0] = '\0';
	sweep->begun = 0;
	return 0;
}

/* One page is enough for each time; what fails is tried again in an hour. */
static void sweep_uploads(struct s3_store *store)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(store, "GET", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	struct sweep sweep = { .store = store };
	time_t last = __atomic_load_n(&store->swept, __ATOMIC_RELAXED);
	time_t now = time(NULL);

	if (now - last < SWEEP_SECONDS ||
	    !__atomic_compare_exchange_n(&store->swept, &last, now, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return;
	call.max = REMOTE_XML_MAX_BYTES;
	s3_call_param(&call, "uploads", "");
	s3_call_param(&call, "prefix", store->base.root);
	if (s3_call_run(&call, &answer, NULL) == 0)
		remote_xml_read(buf_str(&answer.body), answer.body.len, "uploads", sweep_element, &sweep,
				NULL);
}

static int upload_run(struct upload *upload, struct shale_err *err)
{
	struct s3_store *store = upload->store;

	if (s3_plan_make(&upload->plan, store->copy_size, store->base.piece_limit, err) < 0)
		return shale_err_wrap(err, "%s", remote_store_path(&store->base, upload->to));
	upload->etags = calloc(upload->plan.count, sizeof(*upload->etags));
	if (!upload->etags)
		return shale_err_errno(err, "%s", remote_store_path(&store->base, upload->to));
	if (upload_begin(upload, err) < 0)
		return -1;
	if (remote_store_parallel(&store->base, upload->plan.count, make_part, upload, err) < 0 ||
	    upload_finish(upload, err) < 0) {
		upload_abort(store, upload->to, upload->id);
		return -1;
	}
	sweep_uploads(store);
	return 0;
}

static int copy_whole(struct s3_store *store, const char *from, const char *to,
		      struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(store, "PUT", to);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf name = BUF_INIT;

	if (source_name(store, from, &name, err) < 0)
		return -1;
	call.is_work = true;
	s3_call_header(&call, "x-amz-copy-source", buf_str(&name));
	s3_call_for_writing(&call);
	return s3_call_run(&call, &answer, err);
}

/* Too small for an upload in parts. */
static int send_whole(struct upload *upload, struct shale_err *err)
{
	__cleanup(remote_spool_release) struct remote_spool spool = REMOTE_SPOOL_INIT;
	const struct s3_part all = { .len = upload->plan.len };
	struct remote_body body;
	char hash[SIGV4_HEX];

	if (gather_part(upload, &all, &spool, err) < 0 ||
	    remote_spool_finish(&spool, &body, hash, err) < 0)
		return -1;
	return s3_put(&upload->store->base, upload->to, &body, hash, NULL, err);
}

int s3_compose(struct s3_store *store, const struct s3_source *sources, size_t count,
	       const char *to, struct shale_err *err)
{
	__cleanup(upload_release) struct upload upload = {
		.store = store, .to = to, .plan = { .sources = sources, .source_count = count },
	};
	uint64_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += sources[i].len;
	upload.plan.len = len;
	if (count == 1 && len <= store->copy_threshold)
		return copy_whole(store, sources[0].key, to, err);
	if (len <= S3_MIN_PART)
		return send_whole(&upload, err);
	return upload_run(&upload, err);
}

int s3_move(struct remote_store *store, const char *from, const char *to, struct shale_err *err)
{
	struct s3_source source = { .key = from };
	struct remote_info info;

	if (s3_head(store, from, &info, err) < 0)
		return -1;
	source.len = info.size;
	if (s3_compose(s3_of(store), &source, 1, to, err) < 0)
		return -1;
	return s3_remove(store, from, NULL, err);
}
