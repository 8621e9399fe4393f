//! Every event, raised by the packets for which Suricata 7.0.10 raises it, and by no other packet of the same connection.

use super::*;
use crate::tcp::{FIN, RST};

const MD5: [u8; 20] = [19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1];

fn stamp(value: u32, echo: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes()].concat()
}

/// After a handshake and four bytes each way, all acknowledged.
fn busy() -> Talk {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"aaaa").c(5, 5, ACK, b"");
    talk
}

fn fresh() -> Talk {
    Talk::new(StreamConfig::default())
}

/// The client has closed.
fn close_wait() -> Talk {
    let mut talk = busy();
    talk.c(5, 5, FIN | ACK, b"").s(5, 6, ACK, b"");
    talk
}

/// The server has closed.
fn fin_wait_1() -> Talk {
    let mut talk = busy();
    talk.s(5, 5, FIN | ACK, b"");
    talk
}

fn fin_wait_2() -> Talk {
    let mut talk = fin_wait_1();
    talk.c(5, 6, ACK, b"");
    assert_eq!(talk.stream.state(), TcpState::FinWait2);
    talk
}

fn closing() -> Talk {
    let mut talk = fin_wait_1();
    talk.c(5, 5, FIN, b"");
    assert_eq!(talk.stream.state(), TcpState::Closing);
    talk
}

fn time_wait() -> Talk {
    let mut talk = fin_wait_2();
    talk.c(5, 6, FIN | ACK, b"");
    assert_eq!(talk.stream.state(), TcpState::TimeWait);
    talk
}

fn last_ack() -> Talk {
    let mut talk = close_wait();
    talk.s(5, 6, FIN | ACK, b"");
    assert_eq!(talk.stream.state(), TcpState::LastAck);
    talk
}

type Play = fn() -> Talk;

/// Events of the last segment, and how to come there.
const TABLE: &[(&[&str], Play)] = &[
    (&["3whs_async_wrong_seq"], || {
        let mut talk = Talk::new(StreamConfig { async_oneside: true, ..StreamConfig::default() });
        talk.c(0, 0, SYN, b"").c(3, 1, ACK, b"");
        talk
    }),
    (&["3whs_right_seq_wrong_ack_evasion"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"data").c(1, 5, ACK, b"");
        talk
    }),
    (&["3whs_synack_in_wrong_direction"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"");
        talk
    }),
    (&["3whs_synack_resend_with_different_ack"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").s(0, 5, SYN | ACK, b"");
        talk
    }),
    (&["3whs_synack_toserver_on_syn_recv"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").c(0, 1, SYN | ACK, b"");
        talk
    }),
    (&["3whs_synack_with_wrong_ack"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"hello").s(0, 6, SYN | ACK, b"");
        talk
    }),
    (&["3whs_syn_flood"], || {
        let mut talk = fresh();
        for value in 0..=11 {
            assert!(talk.events.is_empty());
            talk.segment(Direction::ToServer, 0, 0, SYN, b"", &stamp(100 + value, 0));
        }
        talk
    }),
    (&["3whs_synack_flood"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"");
        for seq in 0..7 {
            assert!(talk.events.is_empty());
            talk.s(seq * 10, 1, SYN | ACK, b"");
        }
        talk
    }),
    (&["3whs_synack_tfo_data_ignored"], || {
        let mut talk = fresh();
        talk.segment(Direction::ToServer, 0, 0, SYN, b"hello", &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
        talk.s(0, 1, SYN | ACK, b"");
        talk
    }),
    (&["3whs_syn_resend_diff_seq_on_syn_recv"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").c(7, 0, SYN, b"");
        talk
    }),
    (&["3whs_syn_toclient_on_syn_recv"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").s(7, 0, SYN, b"");
        talk
    }),
    (&["3whs_wrong_seq_wrong_ack"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").s(1, 0, ACK, b"");
        talk
    }),
    (&["4whs_synack_with_wrong_ack"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(0, 9, SYN | ACK, b"");
        talk
    }),
    (&["4whs_synack_with_wrong_syn"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(9, 1, SYN | ACK, b"");
        talk
    }),
    (&["4whs_wrong_seq"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"").s(9, 1, ACK, b"");
        talk
    }),
    (&["4whs_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = fresh();
        talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"").s(1, 9, ACK, b"");
        talk
    }),
    (&["closewait_ack_out_of_window"], || {
        let mut talk = close_wait();
        talk.s(9000, 6, ACK, b"x");
        talk
    }),
    (&["closewait_fin_out_of_window"], || {
        let mut talk = close_wait();
        talk.s(1, 6, FIN | ACK, b"");
        talk
    }),
    (&["closewait_pkt_before_last_ack", "pkt_retransmission", "pkt_spurious_retransmission"], || {
        let mut talk = close_wait();
        talk.s(1, 6, ACK, b"aaaa");
        talk
    }),
    (&["closewait_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = close_wait();
        talk.s(5, 20_000, ACK, b"");
        talk
    }),
    (&["closing_ack_wrong_seq"], || {
        let mut talk = closing();
        talk.c(9, 6, ACK, b"");
        talk
    }),
    (&["closing_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = closing();
        talk.c(6, 20_000, ACK, b"");
        talk
    }),
    (&["est_packet_out_of_window"], || {
        let mut talk = busy();
        talk.c(20_000, 5, ACK, b"far");
        talk
    }),
    (&["est_pkt_before_last_ack", "pkt_spurious_retransmission"], || {
        let mut talk = busy();
        talk.c(5, 5, ACK, b"BBBB").s(5, 9, ACK, b"").c(1, 5, ACK, b"AAAA");
        talk
    }),
    (&["est_synack_resend"], || {
        let mut talk = busy();
        talk.s(0, 5, SYN | ACK, b"");
        talk
    }),
    (&["est_synack_resend_with_different_ack"], || {
        let mut talk = busy();
        talk.s(0, 1, SYN | ACK, b"");
        talk
    }),
    (&["est_synack_resend_with_diff_seq"], || {
        let mut talk = busy();
        talk.s(3, 5, SYN | ACK, b"");
        talk
    }),
    (&["est_synack_toserver"], || {
        let mut talk = busy();
        talk.c(0, 1, SYN | ACK, b"");
        talk
    }),
    (&["est_syn_resend"], || {
        let mut talk = busy();
        talk.c(0, 0, SYN, b"");
        talk
    }),
    (&["est_syn_resend_diff_seq"], || {
        let mut talk = busy();
        talk.c(3, 0, SYN, b"");
        talk
    }),
    (&["est_syn_toclient"], || {
        let mut talk = busy();
        talk.s(0, 0, SYN, b"");
        talk
    }),
    (&["est_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = busy();
        talk.c(5, 20_000, ACK, b"");
        talk
    }),
    (&["fin_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = busy();
        talk.c(5, 20_000, FIN | ACK, b"");
        talk
    }),
    (&["fin_out_of_window"], || {
        let mut talk = busy();
        talk.c(1, 5, FIN | ACK, b"");
        talk
    }),
    (&["fin_but_no_session"], || {
        let mut talk = fresh();
        talk.c(0, 0, FIN | ACK, b"");
        talk
    }),
    (&["fin_syn"], || {
        let mut talk = busy();
        talk.c(5, 5, FIN | SYN | ACK, b"");
        talk
    }),
    (&["fin1_ack_wrong_seq"], || {
        let mut talk = fin_wait_1();
        talk.c(20_000, 5, ACK, b"");
        talk
    }),
    (&["fin1_fin_wrong_seq"], || {
        let mut talk = fin_wait_1();
        talk.c(20_000, 5, FIN | ACK, b"");
        talk
    }),
    (&["fin1_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = fin_wait_1();
        talk.c(5, 20_000, ACK, b"");
        talk
    }),
    (&["fin2_ack_wrong_seq"], || {
        let mut talk = fin_wait_2();
        talk.c(20_000, 6, ACK, b"");
        talk
    }),
    (&["fin2_fin_wrong_seq"], || {
        let mut talk = fin_wait_2();
        talk.c(20_000, 6, FIN | ACK, b"");
        talk
    }),
    (&["fin2_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = fin_wait_2();
        talk.c(5, 20_000, ACK, b"");
        talk
    }),
    (&["lastack_ack_wrong_seq"], || {
        let mut talk = last_ack();
        talk.c(9, 6, ACK, b"");
        talk
    }),
    (&["lastack_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = last_ack();
        talk.c(6, 20_000, ACK, b"");
        talk
    }),
    (&["rst_but_no_session"], || {
        let mut talk = fresh();
        talk.c(0, 0, RST, b"");
        talk
    }),
    (&["pkt_invalid_ack", "rst_invalid_ack"], || {
        let mut talk = busy();
        talk.c(5, 20_000, RST | ACK, b"");
        talk
    }),
    (&["suspected_rst_inject"], || {
        let mut talk = busy();
        talk.segment(Direction::ToServer, 5, 5, RST | ACK, b"", &MD5);
        talk.c(5, 5, ACK, b"more");
        talk
    }),
    (&["shutdown_syn_resend"], || {
        let mut talk = fin_wait_1();
        talk.c(0, 0, SYN, b"");
        talk
    }),
    (&["timewait_ack_wrong_seq"], || {
        let mut talk = time_wait();
        talk.s(9, 6, ACK, b"");
        talk
    }),
    (&["timewait_invalid_ack", "pkt_invalid_ack"], || {
        let mut talk = time_wait();
        talk.s(6, 20_000, ACK, b"");
        talk
    }),
    (&["pkt_invalid_timestamp"], || {
        let mut talk = fresh();
        talk.segment(Direction::ToServer, 0, 0, SYN, b"", &stamp(100, 0));
        talk.segment(Direction::ToClient, 0, 1, SYN | ACK, b"", &stamp(500, 100));
        talk.segment(Direction::ToServer, 1, 1, ACK, b"", &stamp(101, 500));
        talk.segment(Direction::ToServer, 1, 1, ACK, b"AAAA", &stamp(100, 500));
        talk.segment(Direction::ToServer, 5, 1, ACK, b"BBBB", &stamp(90, 500));
        talk
    }),
    (&["pkt_broken_ack"], || {
        let mut talk = busy();
        let tcp = Tcp { seq: 1005, ack: 7, window: 8192, flags: 0 };
        let (config, budget) = (talk.config, &mut talk.budget);
        let last =
            talk.stream.segment(&config, budget, &tcp, &[0; 20], Direction::ToServer, b"", talk.now_us);
        talk.events.extend(last.events.iter().map(|event| (talk.segments, event)));
        talk.segments += 1;
        talk.last = last;
        talk
    }),
    (&["pkt_bad_window_update"], || {
        let mut talk = busy();
        talk.window = 20;
        talk.s(7, 7, ACK, b"");
        talk
    }),
    (&["reassembly_seq_gap"], || {
        let mut talk = busy();
        talk.c(9, 5, ACK, b"CCCC").s(5, 13, ACK, b"");
        talk
    }),
    (&["reassembly_overlap_different_data"], || {
        let mut talk = busy();
        talk.c(5, 5, ACK, b"BBBB").c(3, 5, ACK, b"AABxBB");
        talk
    }),
    (&["reassembly_depth_reached"], || {
        let mut talk = Talk::open(StreamConfig { depth_bytes: 4, ..StreamConfig::default() });
        talk.c(1, 1, ACK, b"AAAAA");
        talk
    }),
    (&["reassembly_insert_memcap"], || {
        let mut talk = busy();
        talk.budget.set_max(0);
        talk.c(5, 5, ACK, &[b'x'; 4000]);
        talk
    }),
    (&["reassembly_insert_limit"], || {
        let mut talk = Talk::open(StreamConfig { bytes_max: 100, ..StreamConfig::default() });
        talk.c(200, 1, ACK, b"far");
        talk
    }),
    (&["reassembly_segment_before_base_seq"], || {
        let mut talk =
            Talk::open(StreamConfig { raw_chunk_bytes: 1, raw_overlap_bytes: 0, ..StreamConfig::default() });
        for at in 0..10 {
            talk.c(1 + at * 1000, 1, ACK, &[b'x'; 1000]).s(1, 1001 + at * 1000, ACK, b"");
            talk.stream.raw_inspected(Direction::ToServer);
        }
        // In CLOSE-WAIT of the other side a repetition is looked at again.
        talk.s(1, 10_001, FIN | ACK, b"").c(1, 2, ACK, &[b'x'; 1000]);
        talk.events.retain(|(_, event)| *event == StreamEvent::ReassemblySegmentBeforeBase);
        talk
    }),
];

#[test]
fn each_is_raised_by_the_last_segment_and_by_no_other() {
    for (expected, play) in TABLE {
        let talk = play();
        let mut expected = expected.to_vec();
        expected.sort_by_key(|name| StreamEvent::by_name(name).expect("a known event").index());
        assert_eq!(talk.events(), expected);
        let last = talk.segments - 1;
        assert!(talk.events.iter().all(|(number, _)| *number == last), "{expected:?}: {:?}", talk.events);
    }
}

#[test]
fn every_event_is_raised_or_said_not_to_be() {
    for event in StreamEvent::ALL {
        let raised = TABLE.iter().any(|(names, _)| names.contains(&event.as_str()));
        let refused = NOT_RAISED.iter().any(|(refused, reason)| *refused == event && !reason.is_empty());
        assert!(raised != refused, "{}: raised {raised}, refused {refused}", event.as_str());
    }
}
