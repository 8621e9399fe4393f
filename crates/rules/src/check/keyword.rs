//! Which function reads which keyword, and what form its value has.

use std::collections::HashMap;
use std::sync::LazyLock;

use app::Buffer;

use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::Builder;
use super::{
    application, buffer, bytes, content, dnp3, enip, inert, lists, meta, modbus, packet, pattern, state, tls,
};

/// Whether a keyword takes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    None,
    Optional,
    Required,
}

/// Whether a keyword's value stands in quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quotes {
    Required,
    Allowed,
    Refused,
}

/// Reads one option: the rule so far, the keyword, its value without quotes and `!`, and whether there was a `!`.
pub(super) type Apply = fn(&mut Builder<'_>, &Keyword, Span<'_>, bool) -> Outcome;

/// One keyword.
#[derive(Clone, Copy)]
pub(super) struct Keyword {
    /// Its present name; `find` also takes others.
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) quotes: Quotes,
    /// A `!` before the value belongs to the keyword.
    pub(super) negatable: bool,
    pub(super) apply: Apply,
    /// The buffer it is about, if it names one.
    pub(super) buffer: Option<Buffer>,
}

impl Keyword {
    /// The keyword called `name`, in whatever case.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        static ALL: LazyLock<HashMap<&'static str, Keyword>> = LazyLock::new(all);
        ALL.get(name).or_else(|| {
            let lower =
                name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| name.to_ascii_lowercase())?;
            ALL.get(lower.as_str())
        })
    }
}

/// Buffers that older keywords choose for the content before them, after the fact.
const MODIFIERS: [(&str, Buffer); 13] = [
    ("http_client_body", Buffer::HttpRequestBody),
    ("http_cookie", Buffer::HttpCookie),
    ("http_header", Buffer::HttpHeader),
    ("http_host", Buffer::HttpHost),
    ("http_method", Buffer::HttpMethod),
    ("http_raw_header", Buffer::HttpHeaderRaw),
    ("http_raw_host", Buffer::HttpHostRaw),
    ("http_raw_uri", Buffer::HttpUriRaw),
    ("http_server_body", Buffer::HttpResponseBody),
    ("http_stat_code", Buffer::HttpStatCode),
    ("http_stat_msg", Buffer::HttpStatMsg),
    ("http_uri", Buffer::HttpUri),
    ("http_user_agent", Buffer::HttpUserAgent),
];

/// Keywords that Suricata 7 has and this version does not, and why.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("filestore", ": files are not stored"),
    ("frame", ": protocol frames cannot be looked into"),
    ("lua", ": scripts are not run"),
    ("luajit", ": scripts are not run"),
];

fn all() -> HashMap<&'static str, Keyword> {
    let mut keywords = HashMap::with_capacity(512);
    let sticky = |buffer: Buffer| Keyword {
        name: buffer.name(),
        value: Value::None,
        quotes: Quotes::Refused,
        negatable: false,
        apply: buffer::sticky,
        buffer: Some(buffer),
    };
    for buffer in Buffer::all() {
        keywords.insert(buffer.name(), sticky(buffer));
        for name in buffer.legacy_names() {
            keywords.insert(name, sticky(buffer));
        }
    }
    for (name, buffer) in MODIFIERS {
        keywords.insert(name, Keyword { name, apply: buffer::modifier, ..sticky(buffer) });
    }
    for (name, _) in UNSUPPORTED {
        let keyword = row(name, Value::Optional, Quotes::Allowed, unsupported);
        keywords.insert(name, keyword);
    }
    for &(name, aliases, value, quotes, negatable, apply) in TABLE {
        let keyword = Keyword { negatable, ..row(name, value, quotes, apply) };
        keywords.insert(name, keyword);
        for alias in aliases {
            keywords.insert(alias, keyword);
        }
    }
    keywords
}

const fn row(name: &'static str, value: Value, quotes: Quotes, apply: Apply) -> Keyword {
    Keyword { name, value, quotes, negatable: false, apply, buffer: None }
}

fn unsupported(builder: &mut Builder<'_>, keyword: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    let because = UNSUPPORTED.iter().find(|row| row.0 == keyword.name).map_or("", |row| row.1);
    Err(builder.fault(RefusalReason::Unsupported { because }))
}

type Row = (&'static str, &'static [&'static str], Value, Quotes, bool, Apply);

const N: Value = Value::None;
const O: Value = Value::Optional;
const R: Value = Value::Required;
const Q: Quotes = Quotes::Required;
const A: Quotes = Quotes::Allowed;
const U: Quotes = Quotes::Refused;

/// Name, other names, value, quotes, whether a `!` may precede the value, function.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    // What people are told, and how often.
    ("sid", &[], R, U, false, meta::sid),
    ("rev", &[], R, U, false, meta::rev),
    ("gid", &[], R, U, false, meta::gid),
    ("msg", &[], R, Q, false, meta::msg),
    ("classtype", &[], R, U, false, meta::classtype),
    ("priority", &[], R, U, false, meta::priority),
    ("reference", &[], R, U, false, meta::reference),
    ("metadata", &[], R, U, false, meta::metadata),
    ("target", &[], R, U, false, meta::target),
    ("requires", &[], R, U, false, meta::requires),
    ("noalert", &[], N, U, false, meta::noalert),
    ("alert", &[], N, U, false, meta::alert),
    ("threshold", &[], R, U, false, meta::threshold),
    ("detection_filter", &[], R, U, false, meta::detection_filter),
    ("tag", &[], R, U, false, meta::tag),
    ("config", &[], R, U, false, meta::config),
    ("bypass", &[], N, U, false, meta::bypass),
    // What has no effect where packets are looked at beside their path, or without files to write to.
    ("replace", &[], R, Q, true, inert::replace),
    ("nfq_set_mark", &[], R, U, false, inert::mark),
    ("tls.store", &["tls_store"], N, U, false, inert::store),
    // Content and its modifiers.
    ("content", &[], R, Q, true, content::content),
    ("uricontent", &[], R, Q, true, content::uricontent),
    ("nocase", &[], N, U, false, content::nocase),
    ("depth", &[], R, U, false, content::depth),
    ("offset", &[], R, U, false, content::offset),
    ("distance", &[], R, U, false, content::distance),
    ("within", &[], R, U, false, content::within),
    ("startswith", &[], N, U, false, content::startswith),
    ("endswith", &[], N, U, false, content::endswith),
    ("rawbytes", &[], N, U, false, content::rawbytes),
    ("fast_pattern", &[], O, U, false, content::fast_pattern),
    ("prefilter", &[], N, U, false, content::prefilter),
    // Other conditions on a buffer.
    ("pcre", &[], R, A, true, pattern::pcre),
    ("isdataat", &[], R, U, false, bytes::is_data_at),
    ("byte_test", &[], R, U, false, bytes::byte_test),
    ("byte_jump", &[], R, U, false, bytes::byte_jump),
    ("byte_extract", &[], R, U, false, bytes::byte_extract),
    ("byte_math", &[], R, U, false, bytes::byte_math),
    ("base64_decode", &[], O, U, false, bytes::base64_decode),
    ("bsize", &[], R, U, false, buffer::bsize),
    ("urilen", &[], R, U, false, buffer::urilen),
    ("dataset", &[], R, U, false, buffer::dataset),
    ("datarep", &[], R, U, false, buffer::datarep),
    ("asn1", &[], R, U, false, bytes::asn1),
    // Transforms.
    ("strip_whitespace", &[], N, U, false, buffer::transform),
    ("compress_whitespace", &[], N, U, false, buffer::transform),
    ("dotprefix", &[], N, U, false, buffer::transform),
    ("to_md5", &[], N, U, false, buffer::transform),
    ("to_sha1", &[], N, U, false, buffer::transform),
    ("to_sha256", &[], N, U, false, buffer::transform),
    ("to_lowercase", &[], N, U, false, buffer::transform),
    ("to_uppercase", &[], N, U, false, buffer::transform),
    ("header_lowercase", &[], N, U, false, buffer::transform),
    ("strip_pseudo_headers", &[], N, U, false, buffer::transform),
    ("url_decode", &[], N, U, false, buffer::transform),
    ("xor", &[], R, Q, false, buffer::transform),
    ("pcrexform", &[], R, Q, false, buffer::transform),
    // The flow and what is remembered.
    ("flow", &[], R, U, false, state::flow),
    ("flowbits", &[], R, A, false, state::flowbits),
    ("flowint", &[], R, U, false, state::flowint),
    ("hostbits", &[], R, U, false, state::hostbits),
    ("xbits", &[], R, U, false, state::xbits),
    ("flowvar", &[], R, U, false, state::variable),
    ("pktvar", &[], R, U, false, state::variable),
    ("stream_size", &[], R, U, false, state::stream_size),
    ("flow.age", &[], R, U, false, state::flow_age),
    ("flow.pkts_toserver", &[], R, U, false, state::flow_count),
    ("flow.pkts_toclient", &[], R, U, false, state::flow_count),
    ("flow.bytes_toserver", &[], R, U, false, state::flow_count),
    ("flow.bytes_toclient", &[], R, U, false, state::flow_count),
    // Packet headers.
    ("ttl", &["template2"], R, U, false, packet::ttl),
    ("tos", &[], R, A, true, packet::tos),
    ("id", &[], R, A, false, packet::ip_id),
    ("ip_proto", &[], R, A, false, packet::ip_protocol),
    ("ipopts", &[], R, U, false, packet::ip_option),
    ("fragbits", &[], R, U, false, packet::fragment_bits),
    ("fragoffset", &[], R, U, false, packet::fragment_offset),
    ("sameip", &[], N, U, false, packet::same_ip),
    ("l3_proto", &[], R, U, false, packet::ip_version),
    ("geoip", &[], R, U, false, packet::geoip),
    ("iprep", &[], R, U, false, packet::reputation),
    ("tcp.flags", &["flags"], R, U, false, packet::tcp_flags),
    ("tcp.seq", &["seq"], R, U, false, packet::tcp_sequence),
    ("tcp.ack", &["ack"], R, U, false, packet::tcp_acknowledgement),
    ("tcp.window", &["window"], R, U, true, packet::tcp_window),
    ("tcp.mss", &[], R, U, false, packet::tcp_mss),
    ("itype", &[], R, U, false, packet::icmp_type),
    ("icode", &[], R, U, false, packet::icmp_code),
    ("icmp_id", &[], R, U, false, packet::icmp_id),
    ("icmp_seq", &[], R, U, false, packet::icmp_sequence),
    ("icmpv6.mtu", &[], R, U, false, packet::icmpv6_mtu),
    ("dsize", &[], R, U, false, packet::payload_size),
    ("ftpbounce", &[], N, U, false, packet::ftp_bounce),
    ("rpc", &[], R, U, false, packet::rpc),
    ("ipv4-csum", &[], R, U, false, packet::checksum),
    ("tcpv4-csum", &[], R, U, false, packet::checksum),
    ("tcpv6-csum", &[], R, U, false, packet::checksum),
    ("udpv4-csum", &[], R, U, false, packet::checksum),
    ("udpv6-csum", &[], R, U, false, packet::checksum),
    ("icmpv4-csum", &[], R, U, false, packet::checksum),
    ("icmpv6-csum", &[], R, U, false, packet::checksum),
    ("decode-event", &[], R, U, false, packet::decode_event),
    ("stream-event", &[], R, U, false, packet::stream_event),
    ("engine-event", &[], R, U, false, packet::engine_event),
    // Application protocols.
    ("app-layer-protocol", &[], R, A, true, application::protocol),
    ("app-layer-event", &[], R, U, false, application::event),
    ("dcerpc.iface", &["dce_iface"], R, U, false, application::dce_interface),
    ("dcerpc.opnum", &["dce_opnum"], R, U, false, application::dce_operation),
    ("ftpdata_command", &[], R, U, false, application::ftp_data_command),
    ("filename", &[], R, A, true, application::file_name),
    ("filemagic", &[], R, Q, true, application::file_magic),
    ("fileext", &[], R, A, true, application::file_extension),
    ("filesize", &[], R, U, false, application::file_size),
    ("filemd5", &[], R, A, true, application::file_hash),
    ("filesha1", &[], R, A, true, application::file_hash),
    ("filesha256", &[], R, A, true, application::file_hash),
    ("ssh.protoversion", &[], R, A, false, application::ssh_version),
    ("ssh.softwareversion", &[], R, A, false, application::ssh_software),
    ("dns.opcode", &[], R, U, false, application::number),
    ("dhcp.leasetime", &[], R, U, false, application::number),
    ("dhcp.rebinding_time", &[], R, U, false, application::number),
    ("dhcp.renewal_time", &[], R, U, false, application::number),
    ("snmp.version", &[], R, U, false, application::number),
    ("snmp.pdu_type", &[], R, U, false, application::number),
    ("nfs.version", &["nfs_version"], R, U, false, application::number),
    ("nfs_procedure", &[], R, U, false, application::number),
    ("rfb.sectype", &[], R, U, false, application::number),
    ("rfb.secresult", &[], R, U, false, application::named_number),
    ("ike.exchtype", &[], R, U, false, application::number),
    ("ike.key_exchange_payload_length", &[], R, U, false, application::number),
    ("ike.nonce_payload_length", &[], R, U, false, application::number),
    ("ike.chosen_sa_attribute", &[], R, U, false, lists::ike_attribute),
    ("krb5_msg_type", &[], R, U, false, application::number),
    ("krb5_err_code", &[], R, U, false, application::number),
    ("krb5.ticket_encryption", &[], R, U, false, lists::krb5_encryption),
    ("mqtt.protocol_version", &[], R, U, false, application::number),
    ("mqtt.reason_code", &[], R, U, false, application::number),
    ("mqtt.qos", &[], R, U, false, application::number),
    ("mqtt.type", &[], R, U, false, application::named_number),
    ("mqtt.flags", &[], R, U, false, lists::mqtt_flags),
    ("mqtt.connect.flags", &[], R, U, false, lists::mqtt_flags),
    ("mqtt.connack.session_present", &[], R, U, false, lists::mqtt_session),
    ("http2.frametype", &[], R, U, false, application::named_number),
    ("http2.errorcode", &[], R, U, false, application::named_number),
    ("http2.priority", &[], R, U, false, application::number),
    ("http2.window", &[], R, U, false, application::number),
    ("http2.size_update", &[], R, U, false, application::number),
    ("http2.settings", &[], R, U, false, lists::http2_settings),
    ("modbus", &[], R, U, false, modbus::modbus),
    ("enip_command", &[], R, U, false, enip::command),
    ("cip_service", &[], R, U, false, enip::service),
    ("dnp3_func", &["dnp3.func"], R, U, false, dnp3::function),
    ("dnp3_ind", &["dnp3.ind"], R, U, false, dnp3::indications),
    ("dnp3_obj", &["dnp3.obj"], R, U, false, dnp3::object),
    ("tls.version", &[], R, U, false, tls::version),
    ("ssl_version", &[], R, U, false, tls::versions),
    ("ssl_state", &[], R, U, false, tls::states),
    ("tls.cert_chain_len", &[], R, U, false, application::number),
    ("tls_cert_expired", &[], N, U, false, tls::validity),
    ("tls_cert_valid", &[], N, U, false, tls::validity),
    ("tls_cert_notbefore", &[], R, U, false, tls::date),
    ("tls_cert_notafter", &[], R, U, false, tls::date),
    ("tls.subject", &[], R, Q, true, tls::certificate),
    ("tls.issuerdn", &[], R, Q, true, tls::certificate),
    ("tls.fingerprint", &[], R, Q, true, tls::certificate),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_by_any_case() {
        for name in
            ["content", "http.uri", "http_uri", "tls_sni", "dce_iface", "flags", "filestore", "file_data"]
        {
            assert!(Keyword::find(name).is_some(), "{name}");
            assert!(Keyword::find(&name.to_uppercase()).is_some(), "{name}");
        }
        assert!(Keyword::find("").is_none());
        assert!(Keyword::find("nosuch").is_none());
    }

    #[test]
    fn modifiers_and_older_names_of_sticky_buffers_are_told_apart() {
        let is = |name, apply: Apply| std::ptr::fn_addr_eq(Keyword::find(name).unwrap().apply, apply);
        for (name, _) in MODIFIERS {
            assert!(is(name, buffer::modifier), "{name}");
        }
        assert!(is("http_request_line", buffer::sticky) && is("http.uri", buffer::sticky));
    }
}
