/*
 * One C function per DPDK static inline function or macro that Rust needs to call. No logic of its own: what a burst
 * does is decided in crates/dpdk.
 */
#include <stdlib.h>

#include "wrapper.h"

int fb_errno(void)
{
	return rte_errno;
}

uint16_t fb_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_rx_burst(port, queue, mbufs, count);
}

uint16_t fb_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}

struct rte_mbuf *fb_pktmbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void fb_pktmbuf_free(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_free(mbuf);
}

char *fb_pktmbuf_append(struct rte_mbuf *mbuf, uint16_t bytes)
{
	return rte_pktmbuf_append(mbuf, bytes);
}

char *fb_pktmbuf_prepend(struct rte_mbuf *mbuf, uint16_t bytes)
{
	return rte_pktmbuf_prepend(mbuf, bytes);
}

int fb_pktmbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail)
{
	return rte_pktmbuf_chain(head, tail);
}

unsigned int fb_ring_enqueue_burst(struct rte_ring *ring, void *const *objects, unsigned int count)
{
	return rte_ring_enqueue_burst(ring, objects, count, NULL);
}

unsigned int fb_ring_dequeue_burst(struct rte_ring *ring, void **objects, unsigned int count)
{
	return rte_ring_dequeue_burst(ring, objects, count, NULL);
}

unsigned int fb_ring_count(const struct rte_ring *ring)
{
	return rte_ring_count(ring);
}

unsigned int fb_ring_capacity(const struct rte_ring *ring)
{
	return rte_ring_get_capacity(ring);
}

/* DPDK's log goes to memory until fb_log_close, so that a failed start can say why in one message. */
FILE *fb_log_to_memory(char **text, size_t *bytes)
{
	FILE *stream = open_memstream(text, bytes);

	if (stream != NULL && rte_openlog_stream(stream) != 0) {
		fclose(stream);
		return NULL;
	}
	return stream;
}

void fb_log_flush(FILE *stream)
{
	fflush(stream);
}

void fb_log_close(FILE *stream, char **text)
{
	rte_openlog_stream(NULL);
	fclose(stream);
	free(*text);
	*text = NULL;
}

int fb_lcore_is_running(unsigned int lcore)
{
	return rte_eal_get_lcore_state(lcore) == RUNNING;
}
