// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics of the registry: their text, labels of any bytes, the bound on series, and threads that count
 * at once.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry/metrics.h"

static char *render(struct metrics *metrics)
{
	struct buf buf = BUF_INIT;

	ASSERT_EQ(metrics_render(metrics, &buf, NULL), 0);
	return buf_steal(&buf);
}

#define VALUES(...) ((const char *const[]){ __VA_ARGS__ })

TEST(text, "counters, gauges and histograms in Prometheus' text")
{
	struct metrics *metrics = metrics_new();
	struct metric_series *times;
	char *text;

	metrics_count(metrics, METRIC_HTTP_REQUESTS, 2, VALUES("blob", "200", "GET"));
	metrics_count(metrics, METRIC_HTTP_REQUESTS, 1, VALUES("blob", "200", "GET"));
	metrics_count(metrics, METRIC_HTTP_REQUESTS, 1, VALUES("blob", "404", "GET"));
	metrics_count(metrics, METRIC_CACHE_HITS, 7, NULL);
	metric_set(metrics_series(metrics, METRIC_NOTIFY_PENDING, VALUES("e")), 5);
	metrics_count(metrics, METRIC_NOTIFY_PENDING, -3, VALUES("e"));
	times = metrics_series(metrics, METRIC_HTTP_DURATION, VALUES("blob", "GET"));
	metric_observe(times, 5000000);
	metric_observe(times, 5000001);
	metric_observe(times, 90000000000ull);
	text = render(metrics);
	EXPECT(strstr(text, "# HELP registry_http_requests_total Total number of HTTP requests made.\n"
			    "# TYPE registry_http_requests_total counter\n"));
	EXPECT(strstr(text, "\nregistry_http_requests_total{handler=\"blob\",code=\"200\",method=\"GET\"} 3\n"));
	EXPECT(strstr(text, "\nregistry_http_requests_total{handler=\"blob\",code=\"404\",method=\"GET\"} 1\n"));
	EXPECT(strstr(text, "\nregistry_storage_cache_hits_total 7\n"));
	EXPECT(strstr(text, "# TYPE registry_notifications_pending_total gauge\nregistry_notifications_pending_total{endpoint=\"e\"} 2\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"GET\",le=\"0.005\"} 1\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"GET\",le=\"0.01\"} 2\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"GET\",le=\"60\"} 2\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"GET\",le=\"+Inf\"} 3\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_sum{handler=\"blob\",method=\"GET\"} 90.01\n"));
	EXPECT(strstr(text, "\nregistry_http_request_duration_seconds_count{handler=\"blob\",method=\"GET\"} 3\n"));
	EXPECT(!strstr(text, "proxy"));
	EXPECT(strstr(text, "\nprocess_resident_memory_bytes "));
	EXPECT(strstr(text, "\nprocess_open_fds "));
	free(text);
	metrics_free(metrics);
}

TEST(sizes, "sizes have bounds from 1 KiB to 2 GiB")
{
	struct metrics *metrics = metrics_new();
	char *text;

	metric_observe(metrics_series(metrics, METRIC_HTTP_RESPONSE_SIZE, VALUES("blob")), 1ull << 31);
	text = render(metrics);
	EXPECT(strstr(text, "{handler=\"blob\",le=\"1024\"} 0\n"));
	EXPECT(strstr(text, "{handler=\"blob\",le=\"1073741824\"} 0\n"));
	EXPECT(strstr(text, "{handler=\"blob\",le=\"2147483648\"} 1\n"));
	EXPECT(strstr(text, "registry_http_response_size_bytes_sum{handler=\"blob\"} 2147483648\n"));
	free(text);
	metrics_free(metrics);
}

TEST(escape, "label values are escaped")
{
	struct metrics *metrics = metrics_new();
	char *text;

	metrics_count(metrics, METRIC_NOTIFY_DROPPED, 1, VALUES("a\"b\\c\nd} 9\n"));
	text = render(metrics);
	EXPECT(strstr(text, "registry_notifications_dropped_total{endpoint=\"a\\\"b\\\\c\\nd} 9\\n\"} 1\n"));
	free(text);
	metrics_free(metrics);
}

TEST(bound, "what is beyond the bound on series counts in one of its own")
{
	struct metrics *metrics = metrics_new();
	char name[16], *text;

	for (int i = 0; i < METRIC_MAX_SERIES + 100; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		metrics_count(metrics, METRIC_NOTIFY_DROPPED, 1, VALUES(name));
	}
	metrics_count(metrics, METRIC_NOTIFY_DROPPED, 1, VALUES("e5"));
	text = render(metrics);
	EXPECT(strstr(text, "{endpoint=\"e5\"} 2\n"));
	EXPECT(strstr(text, "{endpoint=\"e511\"} 1\n"));
	EXPECT(!strstr(text, "{endpoint=\"e512\"}"));
	EXPECT(strstr(text, "{endpoint=\"other\"} 100\n"));
	free(text);
	metrics_free(metrics);
}

static void *count(void *arg)
{
	struct metrics *metrics = arg;
	char name[16];

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d", i % 50);
		metrics_count(metrics, METRIC_NOTIFY_EVENTS, 1, VALUES("Events", name));
		metric_observe(metrics_series(metrics, METRIC_STORAGE_ACTION, VALUES("file", "get")), i);
	}
	return NULL;
}

TEST(threads, "nothing is lost when threads make and count the same series")
{
	struct metrics *metrics = metrics_new();
	pthread_t threads[8];
	char want[64], *text;

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, count, metrics), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	text = render(metrics);
	for (int i = 0; i < 50; i++) {
		snprintf(want, sizeof(want), "{type=\"Events\",endpoint=\"%d\"} 320\n", i);
		EXPECT(strstr(text, want));
	}
	EXPECT(strstr(text, "registry_storage_action_seconds_count{driver=\"file\",action=\"get\"} 16000\n"));
	free(text);
	metrics_free(metrics);
}
