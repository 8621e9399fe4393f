//! What rules refer to without defining it: variables for addresses and ports, and the classes of alerts.

use std::collections::HashMap;

use crate::address::Addresses;
use crate::port::Ports;
use crate::refusal::RefusalReason;
use crate::variable::resolve;

/// The variables and classes that rules are read with.
#[derive(Clone, Debug)]
pub struct Environment {
    addresses: HashMap<String, String>,
    ports: HashMap<String, String>,
    classes: Classes,
}

/// A variable or class that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The text of a variable is no list of addresses or ports.
    #[error("{kind} variable {name}: {reason}")]
    Variable {
        /// `address` or `port`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: RefusalReason,
    },
    /// A line of a classification file.
    #[error("line {line}: expected 'config classification: name,description,priority'")]
    Class {
        /// Line, from 1.
        line: u32,
    },
}

/// The address variables that Debian's suricata.yaml sets.
const ADDRESSES: [(&str, &str); 15] = [
    ("HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"),
    ("EXTERNAL_NET", "!$HOME_NET"),
    ("HTTP_SERVERS", "$HOME_NET"),
    ("SMTP_SERVERS", "$HOME_NET"),
    ("SQL_SERVERS", "$HOME_NET"),
    ("DNS_SERVERS", "$HOME_NET"),
    ("TELNET_SERVERS", "$HOME_NET"),
    ("AIM_SERVERS", "$EXTERNAL_NET"),
    ("DC_SERVERS", "$HOME_NET"),
    ("DNP3_SERVER", "$HOME_NET"),
    ("DNP3_CLIENT", "$HOME_NET"),
    ("MODBUS_CLIENT", "$HOME_NET"),
    ("MODBUS_SERVER", "$HOME_NET"),
    ("ENIP_CLIENT", "$HOME_NET"),
    ("ENIP_SERVER", "$HOME_NET"),
];

/// The port variables that Debian's suricata.yaml sets.
const PORTS: [(&str, &str); 11] = [
    ("HTTP_PORTS", "80"),
    ("SHELLCODE_PORTS", "!80"),
    ("ORACLE_PORTS", "1521"),
    ("SSH_PORTS", "22"),
    ("DNP3_PORTS", "20000"),
    ("MODBUS_PORTS", "502"),
    ("FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"),
    ("FTP_PORTS", "21"),
    ("GENEVE_PORTS", "6081"),
    ("VXLAN_PORTS", "4789"),
    ("TEREDO_PORTS", "3544"),
];

impl Default for Environment {
    /// The variables of Debian's suricata.yaml, and the usual classes.
    fn default() -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
        };
        Self { addresses: owned(&ADDRESSES), ports: owned(&PORTS), classes: Classes::default() }
    }
}

impl Environment {
    /// These variables (name without `$`, and list of addresses or ports, which may name other variables of its kind)
    /// on top of the default ones, and these classes.
    ///
    /// # Errors
    ///
    /// The text of a variable is no such list.
    pub fn new<'a>(
        addresses: impl IntoIterator<Item = (&'a str, &'a str)>,
        ports: impl IntoIterator<Item = (&'a str, &'a str)>,
        classes: Classes,
    ) -> Result<Self, EnvironmentError> {
        let mut environment = Self { classes, ..Self::default() };
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        environment.addresses.extend(addresses.into_iter().map(owned));
        environment.ports.extend(ports.into_iter().map(owned));
        environment.check()?;
        Ok(environment)
    }

    fn check(&self) -> Result<(), EnvironmentError> {
        let error = |kind, name: &str| {
            let name = name.to_owned();
            move |reason| EnvironmentError::Variable { kind, name, reason }
        };
        for (name, text) in in_order(&self.addresses, &ADDRESSES) {
            resolve::<Addresses>(text, &|name| self.address_variable(name))
                .map_err(error("address", name))?;
        }
        for (name, text) in in_order(&self.ports, &PORTS) {
            resolve::<Ports>(text, &|name| self.port_variable(name)).map_err(error("port", name))?;
        }
        Ok(())
    }

    /// The text of an address variable.
    pub(crate) fn address_variable(&self, name: &str) -> Option<&str> {
        self.addresses.get(name).map(String::as_str)
    }

    /// The text of a port variable.
    pub(crate) fn port_variable(&self, name: &str) -> Option<&str> {
        self.ports.get(name).map(String::as_str)
    }

    /// The classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }
}

/// Variables, by name: those first that differ from the default ones, because a fault is most likely theirs.
fn in_order<'m>(
    variables: &'m HashMap<String, String>,
    defaults: &[(&str, &str)],
) -> Vec<(&'m String, &'m String)> {
    let mut sorted: Vec<_> = variables.iter().collect();
    sorted.sort_by_key(|&(name, text)| (defaults.contains(&(name.as_str(), text.as_str())), name));
    sorted
}

/// A class of alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Class {
    /// What people are told (EVE's `category`).
    pub description: String,
    /// 1 is most severe.
    pub priority: u32,
}

/// The classes of alerts that `classtype` can name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Classes(HashMap<String, Class>);

/// The classes that rule sets use.
const CLASSES: [(&str, &str, u32); 43] = [
    ("not-suspicious", "Not Suspicious Traffic", 3),
    ("unknown", "Unknown Traffic", 3),
    ("bad-unknown", "Potentially Bad Traffic", 2),
    ("attempted-recon", "Attempted Information Leak", 2),
    ("successful-recon-limited", "Information Leak", 2),
    ("successful-recon-largescale", "Large Scale Information Leak", 2),
    ("attempted-dos", "Attempted Denial of Service", 2),
    ("successful-dos", "Denial of Service", 2),
    ("attempted-user", "Attempted User Privilege Gain", 1),
    ("unsuccessful-user", "Unsuccessful User Privilege Gain", 1),
    ("successful-user", "Successful User Privilege Gain", 1),
    ("attempted-admin", "Attempted Administrator Privilege Gain", 1),
    ("successful-admin", "Successful Administrator Privilege Gain", 1),
    ("rpc-portmap-decode", "Decode of an RPC Query", 2),
    ("shellcode-detect", "Executable code was detected", 1),
    ("string-detect", "A suspicious string was detected", 3),
    ("suspicious-filename-detect", "A suspicious filename was detected", 2),
    ("suspicious-login", "An attempted login using a suspicious username was detected", 2),
    ("system-call-detect", "A system call was detected", 2),
    ("tcp-connection", "A TCP connection was detected", 4),
    ("trojan-activity", "A Network Trojan was detected", 1),
    ("unusual-client-port-connection", "A client was using an unusual port", 2),
    ("network-scan", "Detection of a Network Scan", 3),
    ("denial-of-service", "Detection of a Denial of Service Attack", 2),
    ("non-standard-protocol", "Detection of a non-standard protocol or event", 2),
    ("protocol-command-decode", "Generic Protocol Command Decode", 3),
    ("web-application-activity", "access to a potentially vulnerable web application", 2),
    ("web-application-attack", "Web Application Attack", 1),
    ("misc-activity", "Misc activity", 3),
    ("misc-attack", "Misc Attack", 2),
    ("icmp-event", "Generic ICMP event", 3),
    ("inappropriate-content", "Inappropriate Content was Detected", 1),
    ("policy-violation", "Potential Corporate Privacy Violation", 1),
    ("default-login-attempt", "Attempt to login by a default username and password", 2),
    ("targeted-activity", "Targeted Malicious Activity was Detected", 1),
    ("exploit-kit", "Exploit Kit Activity Detected", 1),
    ("external-ip-check", "Device Retrieving External IP Address Detected", 2),
    ("domain-c2", "Domain Observed Used for C2 Detected", 1),
    ("pup-activity", "Possibly Unwanted Program Detected", 2),
    ("credential-theft", "Successful Credential Theft Detected", 1),
    ("social-engineering", "Possible Social Engineering Attempted", 2),
    ("coin-mining", "Crypto Currency Mining Activity Detected", 2),
    ("command-and-control", "Malware Command and Control Activity Detected", 1),
];

impl Default for Classes {
    fn default() -> Self {
        let class = |&(name, description, priority): &(&str, &str, u32)| {
            (name.to_owned(), Class { description: description.to_owned(), priority })
        };
        Self(CLASSES.iter().map(class).collect())
    }
}

impl Classes {
    /// Reads a `classification.config`: lines `config classification: name,description,priority`, comments and empty
    /// lines.
    ///
    /// # Errors
    ///
    /// A line is something else.
    pub fn parse(text: &str) -> Result<Self, EnvironmentError> {
        let mut classes = HashMap::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, class) = Self::parse_line(line).ok_or(EnvironmentError::Class { line: number })?;
            classes.insert(name, class);
        }
        Ok(Self(classes))
    }

    fn parse_line(line: &str) -> Option<(String, Class)> {
        let rest = line.strip_prefix("config")?.trim_start().strip_prefix("classification")?.trim_start();
        let (name, rest) = rest.strip_prefix(':')?.split_once(',')?;
        let (description, priority) = rest.rsplit_once(',')?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() {
            return None;
        }
        let class =
            Class { description: description.trim().to_owned(), priority: priority.trim().parse().ok()? };
        Some((name, class))
    }

    /// The class of this name, in whatever case.
    pub fn get(&self, name: &str) -> Option<&Class> {
        self.0.get(name).or_else(|| self.0.get(&name.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_variables_resolve() {
        Environment::default().check().unwrap();
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = Environment::new([("A", "[$B]"), ("B", "1.1.1")], [], Classes::default()).unwrap_err();
        assert!(error.to_string().contains("'1.1.1'"), "{error}");
        let error = Environment::new([], [("A", "$HOME_NET")], Classes::default()).unwrap_err();
        assert!(
            error.to_string().starts_with("port variable A: variable $HOME_NET is not defined"),
            "{error}"
        );
        assert!(
            Environment::new([("HOME_NET", "any")], [], Classes::default()).is_err(),
            "EXTERNAL_NET is !any"
        );
        let any = [("HOME_NET", "any"), ("EXTERNAL_NET", "any")];
        assert!(Environment::new(any, [], Classes::default()).is_ok());
    }

    #[test]
    fn classes_of_a_file() {
        let text = "# x\n\nconfig classification: Bad-Thing, A thing, that is bad , 2\r\nconfig classification:x,y,1";
        let classes = Classes::parse(text).unwrap();
        let expected = Class { description: "A thing, that is bad".into(), priority: 2 };
        assert_eq!(classes.get("bad-THING"), Some(&expected));
        assert_eq!(classes.get("trojan-activity"), None);
        assert_eq!(
            Classes::parse("\nconfig reference: url http://"),
            Err(EnvironmentError::Class { line: 2 })
        );
    }
}
