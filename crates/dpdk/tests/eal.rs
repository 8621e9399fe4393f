//! The safe layer against a real EAL, on vdevs. Every test ends with its pool full again (`testkit::OwnPool` checks).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;

use dpdk::{Burst, Device, Eal, EalConfig, EalError, Mbuf, MempoolConfig, PortConfig, RxTimestamp, ring};
use wire::PacketBuf;

/// A pcap file of `frames`, a microsecond apart, in a directory that lives as long as the result.
fn capture(frames: &[Vec<u8>]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frames.pcap");
    let mut file = std::fs::File::create(&path).unwrap();
    let word = |value: u32| value.to_le_bytes();
    let header = [word(0xa1b2_c3d4), word(0x0004_0002), word(0), word(0), word(65535), word(1)].concat();
    file.write_all(&header).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        let length = word(frame.len() as u32);
        file.write_all(&[word(1_700_000_000), word(index as u32), length, length].concat()).unwrap();
        file.write_all(frame).unwrap();
    }
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn frames(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| (0..bytes).map(|at| (index + at) as u8).collect()).collect()
}

#[test]
fn an_eal_starts_once_and_says_so_the_second_time() {
    let (eal, lcores) = testkit::eal(1);
    assert_eq!(lcores.len(), 1);
    assert!(!eal.huge_pages());
    assert!(matches!(Eal::start(&EalConfig::default()), Err(EalError::AlreadyStarted)));
}

#[test]
fn a_pool_too_large_for_the_memory_is_refused_with_its_size() {
    let (eal, _) = testkit::eal(0);
    let config = MempoolConfig { mbufs: 1 << 20, ..MempoolConfig::default() };
    let error = dpdk::Mempool::<()>::new(&eal, &config).unwrap_err().to_string();
    assert!(error.contains("1048576 packet buffers"), "{error}");
}

#[test]
fn all_pools_of_a_process_have_one_private_area() {
    let (eal, _) = testkit::eal(0);
    let _pool = testkit::pool::<u64>(&eal, 63);
    let error = dpdk::Mempool::<u32>::new(&eal, &MempoolConfig::default()).unwrap_err();
    assert!(matches!(error, dpdk::MempoolError::PrivateArea));
}

#[test]
fn buffers_go_back_by_drop_and_by_burst_and_keep_their_private_area() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<[u64; 4]>(&eal, 127);
    let mut burst = Burst::<[u64; 4]>::new();
    for index in 0..40 {
        let mut mbuf = pool.alloc().unwrap();
        assert_eq!(*mbuf.private(), [0; 4]);
        mbuf.private_mut()[3] = index;
        assert!(mbuf.append(&[7; 60]));
        burst.push(mbuf);
    }
    assert_eq!(pool.available(), 127 - 40);
    assert_eq!(burst[39].private()[3], 39);
    assert_eq!(burst[0].data(), [7; 60]);
    drop(burst.pop());
    assert_eq!(pool.available(), 127 - 39);
    Mbuf::free_burst(&mut burst);
    assert!(burst.is_empty());
}

#[test]
fn an_empty_pool_gives_none_and_a_frame_that_does_not_fit_is_refused_whole() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 7);
    let mut all: Vec<_> = (0..7).map(|_| pool.alloc().unwrap()).collect();
    assert!(pool.alloc().is_none());
    assert!(!all[0].append(&vec![0; 60_000]));
    assert_eq!(all[0].pkt_len(), 0);
}

#[test]
fn a_ring_keeps_order_refuses_what_does_not_fit_and_frees_what_is_left() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<u64>(&eal, 63);
    let (mut producer, mut consumer) = ring::<u64>(&eal, 10).unwrap();
    assert_eq!(producer.capacity(), 10);
    let mut burst = Burst::<u64>::new();
    for index in 0..16 {
        let mut mbuf = pool.alloc().unwrap();
        *mbuf.private_mut() = index;
        burst.push(mbuf);
    }
    assert_eq!(producer.enqueue_burst(&mut burst), 10);
    let left: Vec<u64> = burst.iter().map(|mbuf| *mbuf.private()).collect();
    assert_eq!(left, (10..16).collect::<Vec<_>>());
    let refused = producer.enqueue(burst.pop().unwrap()).unwrap_err();
    assert_eq!(*refused.private(), 15);

    let mut out = Burst::<u64>::new();
    assert_eq!(consumer.dequeue_at_most(&mut out, 4), 4);
    assert_eq!(out.iter().map(|mbuf| *mbuf.private()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    // Six stay in the ring when both ends go away; the pool's own check sees whether they were freed.
    assert_eq!(consumer.len(), 6);
}

#[test]
fn a_ring_hands_buffers_to_another_lcore() {
    let (eal, mut lcores) = testkit::eal(1);
    let pool = testkit::pool::<u64>(&eal, 255);
    let (mut producer, mut consumer) = ring::<u64>(&eal, 64).unwrap();
    let lcore = lcores.pop().unwrap();
    let worker = lcore
        .launch(move || {
            let (mut sum, mut seen) = (0, 0);
            while seen < 10_000 {
                let mut burst = Burst::<u64>::new();
                seen += consumer.dequeue_burst(&mut burst);
                sum += burst.iter().map(|mbuf| *mbuf.private()).sum::<u64>();
                Mbuf::free_burst(&mut burst);
                std::thread::yield_now();
            }
            sum
        })
        .unwrap();
    let mut next = 0;
    while next < 10_000 {
        let Some(mut mbuf) = pool.alloc() else { continue };
        *mbuf.private_mut() = next;
        let mut mbuf = Some(mbuf);
        while let Some(one) = mbuf.take() {
            mbuf = producer.enqueue(one).err();
            std::thread::yield_now();
        }
        next += 1;
    }
    let (sum, lcore) = worker.join().unwrap();
    assert_eq!(sum, (0..10_000).sum::<u64>());

    let panicking = lcore.launch(|| panic!("on purpose")).unwrap();
    let error = panicking.join().map(|(never, _): ((), _)| never).unwrap_err().to_string();
    assert!(error.contains("on purpose"), "{error}");
}

#[test]
fn a_capture_is_polled_with_its_timestamps_and_its_port_goes_with_its_queue() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 255);
    let sent = frames(100, 60);
    let (_dir, path) = capture(&sent);
    let port = eal.attach(&Device::vdev("net_pcap0", &format!("rx_pcap={path}"))).unwrap();
    assert_eq!(port.rss_queues_max().unwrap(), 1);
    let mut started = port.start(&PortConfig::default(), &pool).unwrap();
    let stamp = RxTimestamp::lookup().expect("net_pcap registers the field");
    let queue = &mut started.rx[0];
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let mut burst = Burst::<()>::new();
        assert!(queue.rx_burst(&mut burst) > 0, "the capture ended after {}", received.len());
        for mbuf in &burst {
            assert_eq!(mbuf.timestamp(&stamp), Some(1_700_000_000_000_000 + received.len() as u64));
            received.push(mbuf.data().to_vec());
        }
    }
    assert_eq!(received, sent);
    assert_eq!(started.stats.read().rx_packets, 100);
    drop(started);
    eal.attach(&Device::vdev("net_pcap0", &format!("rx_pcap={path}")))
        .expect("a detached name is free again");
}

#[test]
fn a_frame_longer_than_a_buffer_comes_in_segments_and_is_put_together() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 63);
    let sent = frames(2, 9000);
    let (_dir, path) = capture(&sent);
    let port = eal.attach(&Device::vdev("net_pcap1", &format!("rx_pcap={path}"))).unwrap();
    let mut started = port.start(&PortConfig::default(), &pool).unwrap();
    let mut burst = Burst::<()>::new();
    started.rx[0].rx_burst(&mut burst);
    assert_eq!(burst.len(), 2);
    assert_eq!(burst[0].segments(), 5);
    assert!(!burst[0].is_contiguous());
    let mut scratch = Vec::new();
    assert_eq!(burst[1].contiguous(&mut scratch), sent[1]);
}

#[test]
fn a_long_frame_is_copied_into_a_chain_and_a_tag_is_pushed() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 31);
    let whole: Vec<u8> = (0..40_000u32).map(|at| at as u8).collect();
    let mut frame = pool.copy_of(&[&whole[..14], &whole[14..]]).unwrap();
    assert_eq!((frame.pkt_len(), frame.segments()), (40_000, 20));
    let mut scratch = Vec::new();
    assert_eq!(frame.contiguous(&mut scratch), whole);
    assert!(pool.copy_of(&[&whole]).is_none(), "only 11 buffers are left");
    assert_eq!(pool.available(), 11);

    assert!(frame.push_vlan(101));
    assert_eq!(frame.pkt_len(), 40_004);
    assert_eq!(frame.data()[..18], [&whole[..12], &[0x81, 0, 0, 101], &whole[12..14]].concat());
    let mut runt = pool.copy_of(&[&[0; 13]]).unwrap();
    assert!(!runt.push_vlan(101));
}

#[test]
fn a_transmit_queue_keeps_what_it_did_not_take_with_the_caller() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 255);
    let port = eal.attach(&Device::vdev("net_ring0", "")).unwrap();
    let config = PortConfig { tx_queues: 1, ..PortConfig::default() };
    let mut started = port.start(&config, &pool).unwrap();
    let (mut sent, mut received) = (0, 0);
    for _ in 0..100 {
        let mut burst = Burst::<()>::new();
        while !burst.is_full() {
            let mut mbuf = pool.alloc().unwrap();
            assert!(mbuf.append(&[1; 64]));
            burst.push(mbuf);
        }
        let taken = started.tx[0].tx_burst(&mut burst);
        assert_eq!(burst.len(), burst.capacity() - taken);
        sent += taken;
        let mut back = Burst::<()>::new();
        received += started.rx[0].rx_burst(&mut back);
    }
    assert_eq!((sent, received), (6400, 6400));
}

#[test]
fn a_failed_start_gives_the_port_back_and_a_missing_device_is_named() {
    let (eal, _) = testkit::eal(0);
    let pool = testkit::pool::<()>(&eal, 255);
    let missing =
        eal.attach(&Device::vdev("net_pcap2", "rx_pcap=/nonexistent.pcap")).unwrap_err().to_string();
    assert!(missing.contains("net_pcap2,rx_pcap=/nonexistent.pcap"), "{missing}");
    assert!(eal.attach(&"net_nothing0".parse().unwrap()).is_err());

    let port = eal.attach(&Device::vdev("net_null0", "")).unwrap();
    let too_many = PortConfig { rx_queues: 2000, ..PortConfig::default() };
    let failed = port.start(&too_many, &pool).unwrap_err();
    assert!(failed.error.to_string().contains("2000 were asked for"), "{}", failed.error);
    let started = failed.port.start(&PortConfig::default(), &pool).unwrap();
    assert_eq!(started.rx.len(), 1);
}

#[test]
fn devices_are_told_apart_by_their_names() {
    for pci in ["0000:3b:02.1", "3b:02.1"] {
        assert!(pci.parse::<Device>().unwrap().is_pci(), "{pci}");
    }
    let vdev: Device = "net_af_packet0,iface=eth1,blocksz=4096".parse().unwrap();
    assert!(!vdev.is_pci());
    assert_eq!(
        (vdev.name(), vdev.to_string().as_str()),
        ("net_af_packet0", "net_af_packet0,iface=eth1,blocksz=4096")
    );
    for bad in ["", "eth0", "net_", "0000:3b:02", "zz:02.1", "net_pcap 0", "1:2:3:4.5"] {
        let error = bad.parse::<Device>().unwrap_err().to_string();
        assert!(error.contains("is no device"), "{error}");
    }
}
