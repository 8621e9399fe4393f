/*
 * What bindgen reads: the DPDK headers, the layout of rte_mbuf as plain numbers, and the shim's functions.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_acl.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_version.h>

/* Byte offsets into struct rte_mbuf; its anonymous members have other names in every DPDK release. */
enum {
	FB_MBUF_SIZE = sizeof(struct rte_mbuf),
	FB_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	FB_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	FB_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	FB_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	FB_MBUF_PORT = offsetof(struct rte_mbuf, port),
	FB_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	FB_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	FB_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	FB_MBUF_NEXT = offsetof(struct rte_mbuf, next),
};

/* Macros with casts, which bindgen cannot evaluate. */
static const uint32_t FB_RING_F_SP_ENQ = RING_F_SP_ENQ;
static const uint32_t FB_RING_F_SC_DEQ = RING_F_SC_DEQ;
static const uint32_t FB_RING_F_EXACT_SZ = RING_F_EXACT_SZ;
static const uint64_t FB_ETH_RSS_REQUEST = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;

int fb_errno(void);
uint16_t fb_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t fb_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
struct rte_mbuf *fb_pktmbuf_alloc(struct rte_mempool *pool);
void fb_pktmbuf_free(struct rte_mbuf *mbuf);
char *fb_pktmbuf_append(struct rte_mbuf *mbuf, uint16_t bytes);
char *fb_pktmbuf_prepend(struct rte_mbuf *mbuf, uint16_t bytes);
int fb_pktmbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);
unsigned int fb_ring_enqueue_burst(struct rte_ring *ring, void *const *objects, unsigned int count);
unsigned int fb_ring_dequeue_burst(struct rte_ring *ring, void **objects, unsigned int count);
unsigned int fb_ring_count(const struct rte_ring *ring);
unsigned int fb_ring_capacity(const struct rte_ring *ring);
FILE *fb_log_to_memory(char **text, size_t *bytes);
void fb_log_flush(FILE *stream);
void fb_log_close(FILE *stream, char **text);
int fb_lcore_is_running(unsigned int lcore);
