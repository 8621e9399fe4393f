//! Plans for the machines of `fixtures/`: what is proposed, in which order, and what is refused.

mod common;

use common::{Fixture, function, port, request};
use host::plan::{self, Kind};
use host::wanted::{RefusedError, derive};

fn refusals(fixture: &Fixture, request: &host::wanted::Request) -> Vec<RefusedError> {
    derive(request, &fixture.inventory()).err().unwrap_or_default()
}

#[test]
fn a_server_as_delivered_gets_every_step_in_order() {
    let fixture = Fixture::new("xl710-40g-as-delivered");
    let inventory = fixture.inventory();
    let ports = [port("east", "0000:3b:02.0", 101), port("west", "0000:3b:02.1", 102)];
    let wanted = derive(&request(2, 512, &ports), &inventory).unwrap();
    assert_eq!(wanted.isolated, [1, 2], "of the card's node, and no two of one core");
    let plan = plan::between(&inventory, &wanted);
    let texts: Vec<&str> = plan.steps.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "start the kernel with intel_iommu=on iommu=pt isolcpus=1,2 nohz_full=1,2 rcu_nocbs=1,2",
            "load the module vfio-pci",
            "huge pages of 2 MiB on NUMA node 0: 0 -> 256",
            "ens1f0: virtual functions: none -> 2",
            "ens1f0 VF 0 (east): mac: 00:00:00:00:00:00 -> 02:fb:00:00:3b:10",
            "ens1f0 VF 0 (east): vlan: 0 -> 101",
            "ens1f0 VF 0 (east): spoofchk: on -> off",
            "ens1f0 VF 0 (east): trust: off -> on",
            "ens1f0 VF 0 (0000:3b:02.0): driver: none -> vfio-pci",
            "ens1f0 VF 1 (west): mac: 00:00:00:00:00:00 -> 02:fb:00:00:3b:11",
            "ens1f0 VF 1 (west): vlan: 0 -> 102",
            "ens1f0 VF 1 (west): spoofchk: on -> off",
            "ens1f0 VF 1 (west): trust: off -> on",
            "ens1f0 VF 1 (0000:3b:02.1): driver: none -> vfio-pci",
        ]
    );
    assert!(plan.steps.iter().all(|step| !step.undo.is_empty() && !step.command.is_empty()));
    assert_eq!(plan.steps.iter().filter(|step| step.reboot).count(), 1);
    let printed = plan.to_string();
    assert!(
        printed.contains("~ ens1f0 VF 0 (east): trust: off -> on\n      ip link set ens1f0 vf 0 trust on\n")
    );
    assert!(printed.starts_with("+ start the kernel"), "{printed}");
}

#[test]
fn a_machine_that_has_everything_needs_nothing() {
    let fixture =
        Fixture::new("x710-10g-ready").with_functions("eno1", &[function(0, 101), function(1, 102)]);
    let inventory = fixture.inventory();
    let ports = [port("east", "0000:5e:02.0", 101), port("west", "0000:5e:02.1", 102)];
    let wanted = derive(&request(2, 512, &ports), &inventory).unwrap();
    assert_eq!(plan::between(&inventory, &wanted).steps, []);
}

#[test]
fn only_what_differs_is_changed() {
    let mut drifted = function(1, 7);
    drifted.trusted = Some(false);
    let fixture = Fixture::new("x710-10g-ready").with_functions("eno1", &[function(0, 101), drifted]);
    let inventory = fixture.inventory();
    let ports = [port("east", "0000:5e:02.0", 101), port("west", "0000:5e:02.1", 102)];
    let plan = plan::between(&inventory, &derive(&request(2, 512, &ports), &inventory).unwrap());
    let lines: Vec<(Kind, &str, &str)> =
        plan.steps.iter().map(|step| (step.kind, step.text.as_str(), step.undo.as_str())).collect();
    assert_eq!(
        lines,
        [
            (Kind::Change, "eno1 VF 1 (west): vlan: 7 -> 102", "ip link set eno1 vf 1 vlan 7"),
            (Kind::Change, "eno1 VF 1 (west): trust: off -> on", "ip link set eno1 vf 1 trust off"),
        ]
    );
}

#[test]
fn more_functions_than_there_are_make_all_of_them_anew() {
    let fixture = Fixture::new("x710-10g-ready").with_functions("eno1", &[function(0, 101)]);
    let inventory = fixture.inventory();
    let plan = plan::between(
        &inventory,
        &derive(&request(2, 512, &[port("east", "0000:5e:02.4", 101)]), &inventory).unwrap(),
    );
    assert_eq!(plan.steps[0].text, "eno1: virtual functions: 3 -> 5; those that are there are made anew");
    assert!(plan.steps[0].command.starts_with("echo 0 > "));
    assert!(plan.steps.iter().any(|step| step.text == "eno1 VF 4 (east): vlan: 0 -> 101"));
}

#[test]
fn functions_of_two_cards_are_told_apart() {
    let fixture = Fixture::new("xl710-40g-as-delivered");
    let inventory = fixture.inventory();
    let ports = [port("east", "0000:3b:0a.0", 101), port("west", "0000:3b:02.0", 102)];
    let wanted = derive(&request(1, 64, &ports), &inventory).unwrap();
    let plan = plan::between(&inventory, &wanted).to_string();
    assert!(plan.contains("ens1f0 VF 0 (west): vlan: 0 -> 102"), "{plan}");
    assert!(plan.contains("ens1f1 VF 0 (east): vlan: 0 -> 101"), "{plan}");
    assert!(plan.contains("~ ens1f1: down -> up"), "{plan}");
}

#[test]
fn the_lab_has_seven_functions_on_the_next_bus() {
    let fixture = Fixture::new("igb-lab");
    let inventory = fixture.inventory();
    let wanted = derive(&request(1, 64, &[port("a", "0000:02:10.2", 100)]), &inventory).unwrap();
    assert_eq!((wanted.functions[0].card, wanted.functions[0].index), (0, 1));
    let refused = refusals(&fixture, &request(1, 64, &[port("h", "0000:02:11.6", 107)]));
    assert_eq!(
        refused[0].to_string(),
        "port h is 0000:02:11.6, which no card of this machine can have as a virtual function; eth0 can have 7, from \
         0000:02:10.0 to 0000:02:11.4"
    );
}

#[test]
fn a_card_that_the_machine_is_reached_by_is_refused_unless_forced() {
    let mut fixture = Fixture::new("x710-10g-ready").with_functions("eno1", &[function(0, 101)]);
    // The address is not on the card but on a VLAN over a bridge over it.
    fixture.file("sys/class/net/eno1/upper_br0/flags", "");
    fixture.file("sys/class/net/br0/upper_br0.5/flags", "");
    fixture.address("br0.5", "192.0.2.17");
    let mut request = request(2, 512, &[port("east", "0000:5e:02.0", 101)]);
    let refused = refusals(&fixture, &request);
    assert!(matches!(refused.as_slice(), [RefusedError::Management { .. }]), "{refused:?}");
    assert!(refused[0].to_string().starts_with("eno1 carries 192.0.2.17, by which this machine is reached"));
    request.force = true;
    assert!(derive(&request, &fixture.inventory()).is_ok());
}

#[test]
fn other_bad_input_gets_a_clear_answer() {
    let ready = Fixture::new("x710-10g-ready");
    let twice = [port("a", "0000:5e:02.0", 101), port("b", "0000:5e:02.0", 102)];
    assert!(matches!(refusals(&ready, &request(1, 64, &twice))[..], [RefusedError::Twice { .. }]));
    let itself = refusals(&ready, &request(1, 64, &[port("a", "0000:5e:00.0", 101)]));
    assert!(itself[0].to_string().ends_with("the first of which is 0000:5e:02.0"), "{}", itself[0]);
    let cores = refusals(&ready, &request(8, 64, &[port("a", "0000:5e:02.0", 101)]));
    assert!(matches!(cores[..], [RefusedError::Cores { workers: 8, cores: 8, fit: 7 }]), "{cores:?}");
    let vendor = Fixture::new("another-vendor");
    let refused = refusals(&vendor, &request(1, 64, &[port("a", "0000:c1:00.2", 101)]));
    assert!(
        refused[0].to_string().starts_with("enp193s0f0 (15b3:101d, driver mlx5_core) is a card of a kind")
    );
    let bare = refusals(&Fixture::new("bare"), &request(1, 64, &[port("a", "0000:5e:02.0", 101)]));
    assert_eq!(bare, [RefusedError::NoCard { ports: 1 }]);
}

#[test]
fn without_pci_ports_only_memory_and_cores_are_wanted() {
    let inventory = Fixture::new("bare").inventory();
    let plan = plan::between(&inventory, &derive(&request(1, 64, &[]), &inventory).unwrap());
    let texts: Vec<&str> = plan.steps.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "start the kernel with isolcpus=1 nohz_full=1 rcu_nocbs=1",
            "huge pages of 2 MiB on NUMA node 0: 0 -> 32"
        ]
    );
}
