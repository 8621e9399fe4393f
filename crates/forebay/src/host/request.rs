//! What a configuration asks of the machine.

use ::host::pci::AddressError;
use ::host::wanted::{PortRequest, Request};
use control::config::{Config, Device, HugePages, Tenancy};

/// Ports that are vdevs want nothing of the machine.
pub(super) fn of(config: &Config, force: bool) -> Result<Request, AddressError> {
    let mut ports = Vec::new();
    for port in &config.ports {
        let Device::Pci(address) = &port.device else { continue };
        let access = match port.tenancy {
            Tenancy::Trunk => None,
            Tenancy::Access { tenant, vlan } => {
                config.tenants.get(tenant).map(|tenant| (tenant.name.to_string(), vlan))
            }
        };
        ports.push(PortRequest { name: port.name.to_string(), address: address.parse()?, access });
    }
    let hugepages_mib = match config.dataplane.hugepages {
        HugePages::Off => 0,
        HugePages::Auto | HugePages::On => config.dataplane.memory_mib.get_ref().get(),
    };
    Ok(Request { workers: config.dataplane.workers.get() as usize, hugepages_mib, ports, force })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        of(&control::config::parse(text).unwrap().config, false).unwrap()
    }

    #[test]
    fn ports_workers_and_memory_are_asked_for() {
        let asked = request(
            "[dataplane]\nworkers = 3\nmemory_mib = 512\n\
             [[port]]\nname = \"p0\"\ndevice = \"3b:02.0\"\nmode = \"access\"\ntenant = \"east\"\nvlan = 101\n\
             [[port]]\nname = \"p1\"\ndevice = \"0000:3b:02.1\"\nmode = \"trunk\"\n\
             [[port]]\nname = \"p2\"\ndevice = \"net_null0\"\nmode = \"trunk\"\n\
             [[tenant]]\nname = \"east\"\nvlans = [110]\n",
        );
        assert_eq!((asked.workers, asked.hugepages_mib), (3, 512));
        let port = |name: &str, address: &str, access| PortRequest {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            access,
        };
        let east = Some(("east".to_owned(), 101));
        assert_eq!(asked.ports, [port("p0", "0000:3b:02.0", east), port("p1", "0000:3b:02.1", None)]);
    }

    #[test]
    fn without_hugepages_none_are_asked_for() {
        assert_eq!(request("[dataplane]\nhugepages = \"off\"\nmemory_mib = 512\n").hugepages_mib, 0);
    }
}
