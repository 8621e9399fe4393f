//! The parts of packets and transactions that a rule can look into.

use crate::{Direction, Stage};

/// What a buffer belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// The packet's payload or the reassembled stream, as the rule says.
    Payload,
    /// A header of each packet.
    Packet,
    /// A transaction of an application protocol.
    Transaction,
    /// Made by another keyword of the same rule.
    Derived,
}

/// A part of a packet, stream or transaction that a rule can look into: a sticky buffer of the rule language.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Buffer {
    /// `pkt_data`: the packet's payload, or the reassembled stream.
    Payload,
    /// `file.data`: file contents: decoded HTTP bodies, mail attachments, SMB, FTP and HTTP/2 transfers.
    FileData,
    /// `http.uri`: normalised request URI.
    HttpUri,
    /// `http.uri.raw`: request URI as sent.
    HttpUriRaw,
    /// `http.method`: request method.
    HttpMethod,
    /// `http.protocol`: protocol field of the request or status line.
    HttpProtocol,
    /// `http.request_line`: whole request line.
    HttpRequestLine,
    /// `http.response_line`: whole status line.
    HttpResponseLine,
    /// `http.stat_code`: status code, in digits.
    HttpStatCode,
    /// `http.stat_msg`: status text.
    HttpStatMsg,
    /// `http.header`: all headers, normalised: `Name: value\r\n` each.
    HttpHeader,
    /// `http.header.raw`: all headers as sent.
    HttpHeaderRaw,
    /// `http.request_header`: each request header, `name: value`, one at a time.
    HttpRequestHeader,
    /// `http.response_header`: each response header, `name: value`, one at a time.
    HttpResponseHeader,
    /// `http.header_names`: names of all headers, each with CRLF around it.
    HttpHeaderNames,
    /// `http.cookie`: `Cookie` of the request, `Set-Cookie` of the response.
    HttpCookie,
    /// `http.user_agent`: `User-Agent`.
    HttpUserAgent,
    /// `http.host`: host name, normalised to lower case.
    HttpHost,
    /// `http.host.raw`: host name as sent.
    HttpHostRaw,
    /// `http.accept`: `Accept`.
    HttpAccept,
    /// `http.accept_lang`: `Accept-Language`.
    HttpAcceptLang,
    /// `http.accept_enc`: `Accept-Encoding`.
    HttpAcceptEnc,
    /// `http.referer`: `Referer`.
    HttpReferer,
    /// `http.connection`: `Connection`.
    HttpConnection,
    /// `http.content_type`: `Content-Type`.
    HttpContentType,
    /// `http.content_len`: `Content-Length`.
    HttpContentLen,
    /// `http.start`: first line and headers, as sent.
    HttpStart,
    /// `http.location`: `Location`.
    HttpLocation,
    /// `http.server`: `Server`.
    HttpServer,
    /// `http.request_body`: request body.
    HttpRequestBody,
    /// `http.response_body`: response body, decompressed.
    HttpResponseBody,
    /// `http2.header_name`: name of each HTTP/2 header.
    Http2HeaderName,
    /// `http2.header`: each HTTP/2 header, `name: value`.
    Http2Header,
    /// `file.name`: name of each transferred file.
    FileName,
    /// `file.magic`: libmagic description of each file.
    FileMagic,
    /// `dns.query`: name of each question of a DNS request, dotted.
    DnsQuery,
    /// `dns.queries.rrname`: name of each question.
    DnsQueriesRrname,
    /// `dns.answer.name`: name of each answer.
    DnsAnswerName,
    /// `dns.query.name`: name of each question, both ways.
    DnsQueryName,
    /// `tls.sni`: server name of the `ClientHello`.
    TlsSni,
    /// `ja3.hash`: MD5 of the JA3 string.
    Ja3Hash,
    /// `ja3.string`: JA3 string.
    Ja3String,
    /// `ja3s.hash`: MD5 of the JA3S string.
    Ja3sHash,
    /// `ja3s.string`: JA3S string.
    Ja3sString,
    /// `ja4.hash`: JA4 client fingerprint.
    Ja4Hash,
    /// `tls.cert_subject`: subject of the first certificate.
    TlsCertSubject,
    /// `tls.cert_issuer`: issuer of the first certificate.
    TlsCertIssuer,
    /// `tls.cert_serial`: serial number of the first certificate, `XX:XX`.
    TlsCertSerial,
    /// `tls.cert_fingerprint`: SHA-1 of the first certificate, `xx:xx`.
    TlsCertFingerprint,
    /// `tls.certs`: each certificate, DER.
    TlsCerts,
    /// `tls.random`: the 32 random bytes of the hello.
    TlsRandom,
    /// `tls.random_time`: first 4 bytes of the random.
    TlsRandomTime,
    /// `tls.random_bytes`: last 28 bytes of the random.
    TlsRandomBytes,
    /// `ssh.proto`: SSH protocol version of the banner.
    SshProto,
    /// `ssh.software`: software of the banner.
    SshSoftware,
    /// `ssh.hassh`: MD5 of the client's HASSH string.
    SshHassh,
    /// `ssh.hassh.string`: client's HASSH string.
    SshHasshString,
    /// `ssh.hassh.server`: MD5 of the server's HASSH string.
    SshHasshServer,
    /// `ssh.hassh.server.string`: server's HASSH string.
    SshHasshServerString,
    /// `smb.named_pipe`: name of the pipe of the tree.
    SmbNamedPipe,
    /// `smb.share`: name of the share.
    SmbShare,
    /// `smb.ntlmssp_user`: user of the NTLMSSP authentication.
    SmbNtlmsspUser,
    /// `smb.ntlmssp_domain`: domain of the NTLMSSP authentication.
    SmbNtlmsspDomain,
    /// `dce_stub_data`: DCE/RPC stub data.
    DceStubData,
    /// `ftp.command`: FTP command.
    FtpCommand,
    /// `ftpdata_command`: command that opened an FTP data connection.
    FtpdataCommand,
    /// `quic.sni`: server name of a QUIC `ClientHello`.
    QuicSni,
    /// `quic.version`: QUIC version.
    QuicVersion,
    /// `quic.ua`: user agent of a QUIC client.
    QuicUa,
    /// `quic.cyu.hash`: MD5 of the CYU string.
    QuicCyuHash,
    /// `quic.cyu.string`: CYU string.
    QuicCyuString,
    /// `krb5_cname`: kerberos client name.
    Krb5Cname,
    /// `krb5_sname`: kerberos server name.
    Krb5Sname,
    /// `sip.method`: SIP method.
    SipMethod,
    /// `sip.uri`: SIP URI.
    SipUri,
    /// `sip.request_line`: SIP request line.
    SipRequestLine,
    /// `sip.stat_code`: SIP status code.
    SipStatCode,
    /// `sip.stat_msg`: SIP status text.
    SipStatMsg,
    /// `sip.response_line`: SIP status line.
    SipResponseLine,
    /// `sip.protocol`: SIP protocol version.
    SipProtocol,
    /// `snmp.community`: SNMP community.
    SnmpCommunity,
    /// `snmp.usm`: `SNMPv3` user.
    SnmpUsm,
    /// `rfb.name`: RFB desktop name.
    RfbName,
    /// `mqtt.connect.clientid`: MQTT client identifier.
    MqttConnectClientid,
    /// `mqtt.connect.username`: MQTT user.
    MqttConnectUsername,
    /// `mqtt.connect.password`: MQTT password.
    MqttConnectPassword,
    /// `mqtt.connect.willtopic`: MQTT will topic.
    MqttConnectWilltopic,
    /// `mqtt.connect.willmessage`: MQTT will message.
    MqttConnectWillmessage,
    /// `mqtt.publish.topic`: MQTT publish topic.
    MqttPublishTopic,
    /// `mqtt.publish.message`: MQTT publish message.
    MqttPublishMessage,
    /// `mqtt.subscribe.topic`: each topic of an MQTT subscription.
    MqttSubscribeTopic,
    /// `mqtt.unsubscribe.topic`: each topic of an MQTT unsubscription.
    MqttUnsubscribeTopic,
    /// `ike.init_spi`: IKE initiator SPI.
    IkeInitSpi,
    /// `ike.resp_spi`: IKE responder SPI.
    IkeRespSpi,
    /// `ike.nonce_payload`: IKE nonce.
    IkeNoncePayload,
    /// `ike.key_exchange_payload`: IKE key exchange data.
    IkeKeyExchangePayload,
    /// `ike.vendor`: IKE vendor identifiers.
    IkeVendor,
    /// `dnp3.data`: application message of DNP3, put together out of its frames.
    Dnp3Data,
    /// `base64_data`: what `base64_decode` of the same rule decoded.
    Base64Data,
    /// `ipv4.hdr`: IPv4 header, options included.
    Ipv4Header,
    /// `ipv6.hdr`: IPv6 header and extension headers.
    Ipv6Header,
    /// `tcp.hdr`: TCP header, options included.
    TcpHeader,
    /// `udp.hdr`: UDP header.
    UdpHeader,
    /// `icmpv4.hdr`: `ICMPv4` header.
    Icmpv4Header,
    /// `icmpv6.hdr`: `ICMPv6` header.
    Icmpv6Header,
    /// `ip.src`: source address, 4 or 16 bytes in network order.
    IpSource,
    /// `ip.dst`: destination address, 4 or 16 bytes in network order.
    IpDestination,
}

/// What is known of a buffer.
struct Row {
    buffer: Buffer,
    /// Its keyword in the rule language.
    name: &'static str,
    /// Older keywords: content modifiers (`http_uri`) and other spellings.
    legacy: &'static [&'static str],
    scope: Scope,
    to_server: bool,
    to_client: bool,
    stage: Stage,
    multiple: bool,
}

impl Row {
    const fn new(
        buffer: Buffer,
        name: &'static str,
        legacy: &'static [&'static str],
        scope: Scope,
        ways: (bool, bool),
        stage: Stage,
        multiple: bool,
    ) -> Self {
        Self { buffer, name, legacy, scope, to_server: ways.0, to_client: ways.1, stage, multiple }
    }
}

/// Towards the server only.
const S: (bool, bool) = (true, false);
/// Towards the client only.
const C: (bool, bool) = (false, true);
/// Both ways.
const B: (bool, bool) = (true, true);

#[rustfmt::skip]
static ROWS: [Row; Buffer::COUNT] = [
    Row::new(Buffer::Payload, "pkt_data", &[], Scope::Payload, B, Stage::Waiting, false),
    Row::new(Buffer::FileData, "file.data", &["file_data"], Scope::Transaction, B, Stage::Body, false),
    Row::new(Buffer::HttpUri, "http.uri", &["http_uri"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::HttpUriRaw, "http.uri.raw", &["http_raw_uri"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::HttpMethod, "http.method", &["http_method"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::HttpProtocol, "http.protocol", &["http_protocol"], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::HttpRequestLine, "http.request_line", &["http_request_line"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::HttpResponseLine, "http.response_line", &["http_response_line"], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::HttpStatCode, "http.stat_code", &["http_stat_code"], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::HttpStatMsg, "http.stat_msg", &["http_stat_msg"], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::HttpHeader, "http.header", &["http_header"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpHeaderRaw, "http.header.raw", &["http_raw_header"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpRequestHeader, "http.request_header", &[], Scope::Transaction, S, Stage::Headers, true),
    Row::new(Buffer::HttpResponseHeader, "http.response_header", &[], Scope::Transaction, C, Stage::Headers, true),
    Row::new(Buffer::HttpHeaderNames, "http.header_names", &["http_header_names"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpCookie, "http.cookie", &["http_cookie"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpUserAgent, "http.user_agent", &["http_user_agent"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpHost, "http.host", &["http_host"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpHostRaw, "http.host.raw", &["http_raw_host"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpAccept, "http.accept", &["http_accept"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpAcceptLang, "http.accept_lang", &["http_accept_lang"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpAcceptEnc, "http.accept_enc", &["http_accept_enc"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpReferer, "http.referer", &["http_referer"], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::HttpConnection, "http.connection", &["http_connection"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpContentType, "http.content_type", &["http_content_type"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpContentLen, "http.content_len", &["http_content_len"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpStart, "http.start", &["http_start"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::HttpLocation, "http.location", &[], Scope::Transaction, C, Stage::Headers, false),
    Row::new(Buffer::HttpServer, "http.server", &[], Scope::Transaction, C, Stage::Headers, false),
    Row::new(Buffer::HttpRequestBody, "http.request_body", &["http_client_body"], Scope::Transaction, S, Stage::Body, false),
    Row::new(Buffer::HttpResponseBody, "http.response_body", &["http_server_body"], Scope::Transaction, C, Stage::Body, false),
    Row::new(Buffer::Http2HeaderName, "http2.header_name", &[], Scope::Transaction, B, Stage::Headers, true),
    Row::new(Buffer::Http2Header, "http2.header", &[], Scope::Transaction, B, Stage::Headers, true),
    Row::new(Buffer::FileName, "file.name", &["filename"], Scope::Transaction, B, Stage::Body, true),
    Row::new(Buffer::FileMagic, "file.magic", &["filemagic"], Scope::Transaction, B, Stage::Body, true),
    Row::new(Buffer::DnsQuery, "dns.query", &["dns_query"], Scope::Transaction, S, Stage::Complete, true),
    Row::new(Buffer::DnsQueriesRrname, "dns.queries.rrname", &[], Scope::Transaction, B, Stage::Complete, true),
    Row::new(Buffer::DnsAnswerName, "dns.answer.name", &["dns.answers.rrname"], Scope::Transaction, B, Stage::Complete, true),
    Row::new(Buffer::DnsQueryName, "dns.query.name", &[], Scope::Transaction, B, Stage::Complete, true),
    Row::new(Buffer::TlsSni, "tls.sni", &["tls_sni"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::Ja3Hash, "ja3.hash", &["ja3_hash"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::Ja3String, "ja3.string", &["ja3_string"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::Ja3sHash, "ja3s.hash", &[], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::Ja3sString, "ja3s.string", &[], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::Ja4Hash, "ja4.hash", &["ja4_hash"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::TlsCertSubject, "tls.cert_subject", &["tls_cert_subject"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::TlsCertIssuer, "tls.cert_issuer", &["tls_cert_issuer"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::TlsCertSerial, "tls.cert_serial", &["tls_cert_serial"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::TlsCertFingerprint, "tls.cert_fingerprint", &["tls_cert_fingerprint"], Scope::Transaction, B, Stage::Headers, false),
    Row::new(Buffer::TlsCerts, "tls.certs", &[], Scope::Transaction, B, Stage::Headers, true),
    Row::new(Buffer::TlsRandom, "tls.random", &[], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::TlsRandomTime, "tls.random_time", &[], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::TlsRandomBytes, "tls.random_bytes", &[], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::SshProto, "ssh.proto", &["ssh_proto"], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::SshSoftware, "ssh.software", &["ssh_software"], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::SshHassh, "ssh.hassh", &[], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::SshHasshString, "ssh.hassh.string", &[], Scope::Transaction, S, Stage::Headers, false),
    Row::new(Buffer::SshHasshServer, "ssh.hassh.server", &[], Scope::Transaction, C, Stage::Headers, false),
    Row::new(Buffer::SshHasshServerString, "ssh.hassh.server.string", &[], Scope::Transaction, C, Stage::Headers, false),
    Row::new(Buffer::SmbNamedPipe, "smb.named_pipe", &["smb_named_pipe"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SmbShare, "smb.share", &["smb_share"], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SmbNtlmsspUser, "smb.ntlmssp_user", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SmbNtlmsspDomain, "smb.ntlmssp_domain", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::DceStubData, "dce_stub_data", &["dcerpc.stub_data"], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::FtpCommand, "ftp.command", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::FtpdataCommand, "ftpdata_command", &[], Scope::Transaction, B, Stage::Begun, false),
    Row::new(Buffer::QuicSni, "quic.sni", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::QuicVersion, "quic.version", &[], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::QuicUa, "quic.ua", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::QuicCyuHash, "quic.cyu.hash", &[], Scope::Transaction, S, Stage::Line, true),
    Row::new(Buffer::QuicCyuString, "quic.cyu.string", &[], Scope::Transaction, S, Stage::Line, true),
    Row::new(Buffer::Krb5Cname, "krb5_cname", &["krb5.cname"], Scope::Transaction, C, Stage::Complete, true),
    Row::new(Buffer::Krb5Sname, "krb5_sname", &["krb5.sname"], Scope::Transaction, C, Stage::Complete, true),
    Row::new(Buffer::SipMethod, "sip.method", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SipUri, "sip.uri", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SipRequestLine, "sip.request_line", &[], Scope::Transaction, S, Stage::Line, false),
    Row::new(Buffer::SipStatCode, "sip.stat_code", &[], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::SipStatMsg, "sip.stat_msg", &[], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::SipResponseLine, "sip.response_line", &[], Scope::Transaction, C, Stage::Line, false),
    Row::new(Buffer::SipProtocol, "sip.protocol", &[], Scope::Transaction, B, Stage::Line, false),
    Row::new(Buffer::SnmpCommunity, "snmp.community", &[], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::SnmpUsm, "snmp.usm", &[], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::RfbName, "rfb.name", &[], Scope::Transaction, C, Stage::Complete, false),
    Row::new(Buffer::MqttConnectClientid, "mqtt.connect.clientid", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttConnectUsername, "mqtt.connect.username", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttConnectPassword, "mqtt.connect.password", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttConnectWilltopic, "mqtt.connect.willtopic", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttConnectWillmessage, "mqtt.connect.willmessage", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttPublishTopic, "mqtt.publish.topic", &[], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::MqttPublishMessage, "mqtt.publish.message", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::MqttSubscribeTopic, "mqtt.subscribe.topic", &[], Scope::Transaction, B, Stage::Complete, true),
    Row::new(Buffer::MqttUnsubscribeTopic, "mqtt.unsubscribe.topic", &[], Scope::Transaction, S, Stage::Complete, true),
    Row::new(Buffer::IkeInitSpi, "ike.init_spi", &[], Scope::Transaction, S, Stage::Complete, false),
    Row::new(Buffer::IkeRespSpi, "ike.resp_spi", &[], Scope::Transaction, C, Stage::Complete, false),
    Row::new(Buffer::IkeNoncePayload, "ike.nonce_payload", &[], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::IkeKeyExchangePayload, "ike.key_exchange_payload", &[], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::IkeVendor, "ike.vendor", &[], Scope::Transaction, S, Stage::Complete, true),
    Row::new(Buffer::Dnp3Data, "dnp3.data", &["dnp3_data"], Scope::Transaction, B, Stage::Complete, false),
    Row::new(Buffer::Base64Data, "base64_data", &[], Scope::Derived, B, Stage::Waiting, false),
    Row::new(Buffer::Ipv4Header, "ipv4.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::Ipv6Header, "ipv6.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::TcpHeader, "tcp.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::UdpHeader, "udp.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::Icmpv4Header, "icmpv4.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::Icmpv6Header, "icmpv6.hdr", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::IpSource, "ip.src", &[], Scope::Packet, B, Stage::Waiting, false),
    Row::new(Buffer::IpDestination, "ip.dst", &[], Scope::Packet, B, Stage::Waiting, false),
];

impl Buffer {
    /// How many there are.
    pub const COUNT: usize = 107;

    /// Every buffer, in the order of its number.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.buffer)
    }

    fn row(self) -> &'static Row {
        // One row for each variant, in their order; a test holds the table to it.
        &ROWS[self as usize]
    }

    /// Its place among [`Buffer::all`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its keyword in the rule language.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Older keywords of it: content modifiers (`http_uri`) and other spellings.
    pub fn legacy_names(self) -> &'static [&'static str] {
        self.row().legacy
    }

    /// The buffer that `keyword` names, by its present name.
    pub fn by_name(keyword: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == keyword).map(|row| row.buffer)
    }

    /// What it belongs to.
    pub fn scope(self) -> Scope {
        self.row().scope
    }

    /// Whether data going `direction` has it.
    pub fn is_in(self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.row().to_server,
            Direction::ToClient => self.row().to_client,
        }
    }

    /// The stage at which a transaction's buffer is whole (bodies: at which it begins).
    pub fn stage(self) -> Stage {
        self.row().stage
    }

    /// Whether a transaction can have several of it, each looked into by itself.
    pub fn is_multiple(self) -> bool {
        self.row().multiple
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_variants() {
        for (number, buffer) in Buffer::all().enumerate() {
            assert_eq!(buffer.index(), number, "{}", buffer.name());
        }
    }

    #[test]
    fn no_keyword_names_two_buffers() {
        let mut names: Vec<&str> =
            ROWS.iter().flat_map(|row| row.legacy.iter().copied().chain([row.name])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
