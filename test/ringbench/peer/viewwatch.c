/* SPDX-FileCopyrightText: The Quorate authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The same as ../viewwatch for corosync: one line for each notification of the
 * quorum service.
 */
#include <corosync/quorum.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void told(quorum_handle_t h, uint32_t quorate, struct quorum_ring_id ring,
		 uint32_t n, const uint32_t *members)
{
	struct timespec ts;
	uint32_t i;

	(void)h;
	clock_gettime(CLOCK_REALTIME, &ts);
	printf("%" PRId64 " %u %u.%" PRIx64 " ", (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec,
	       quorate, ring.nodeid, ring.seq);
	for (i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", members[i]);
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	const struct timespec retry = { 0, 1000000 };
	quorum_model_v1_data_t model = { .model = QUORUM_MODEL_V1, .quorum_notify_fn = told };
	quorum_handle_t h;
	uint32_t type;

	for (;; nanosleep(&retry, NULL)) {
		if (quorum_model_initialize(&h, QUORUM_MODEL_V1, (quorum_model_data_t *)&model, &type, NULL) != CS_OK)
			continue;
		if (quorum_trackstart(h, CS_TRACK_CURRENT | CS_TRACK_CHANGES) == CS_OK)
			while (quorum_dispatch(h, CS_DISPATCH_ONE) == CS_OK)
				;
		quorum_finalize(h);
	}
}
