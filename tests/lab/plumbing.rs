//! The lab itself, without a controller.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use weir::cli::lab::{Address, Guest, Hypervisor, Interrupt, Lab, LabError, Manager, Namespace, Ping, Plan};

use super::world::{Tested, fresh_name};

fn guest(last: u8) -> Guest {
    Guest {
        port: format!("{last:08x}-0000-0000-0000-000000000000"),
        mac: format!("fa:16:3e:00:00:{last:02x}"),
        mtu: 1450,
        addresses: vec![Address { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), prefix: 24, gateway: None }],
    }
}

/// VMs on two hypervisors reach each other over a tunnel made by hand; afterwards nothing of the lab is left.
#[test]
fn vms_plugged_by_hand_and_a_clean_end() -> Tested {
    Lab::remove_abandoned()?;
    let name = fresh_name()?;
    let plan = Plan { name: name.clone(), hosts: 2, manager: Manager::None };
    let mut lab = Lab::up(plan.clone(), &Interrupt::never())?;
    assert!(matches!(Lab::up(plan, &Interrupt::never()), Err(LabError::Leftovers(_))), "the name is taken");

    let [one, other] = ["h1", "h2"];
    for (host, peer) in [(one, other), (other, one)] {
        let remote = lab.host(peer)?.tunnel_address();
        lab.host(host)?.vsctl(
            format!(
                "add-br br-int -- set Bridge br-int datapath_type=netdev -- add-port br-int tunnel \
                 -- set Interface tunnel type=vxlan options:remote_ip={remote}"
            )
            .split_whitespace(),
        )?;
    }
    let a = lab.boot("a", one, guest(1))?;
    let b = lab.boot("b", other, guest(2))?;
    let to = b.guest().addresses[0].ip;
    let ping = Ping::send(a.namespace(), to, 3, Duration::from_millis(100))?;
    assert!(ping.received >= 2, "{ping:?}; the first may be lost while the tunnel endpoint is looked up");
    assert_eq!(
        lab.host(one)?.vsctl(["get", "Interface", &a.tap(), "external_ids:attached-mac"])?.trim(),
        "\"fa:16:3e:00:00:01\""
    );
    let daemons: Vec<_> = lab.state().hypervisors.iter().flat_map(Hypervisor::processes).collect();
    assert_eq!(daemons.len(), 4, "two daemons on each hypervisor");

    lab.shut("a")?;
    assert!(!a.namespace().exists());
    drop(lab);
    assert_eq!(Namespace::all(name.as_str())?, []);
    assert!(!Path::new("/run/weir-lab").join(name.as_str()).exists());
    assert!(daemons.iter().all(|daemon| !daemon.is_running()));
    Lab::remove(&name)?;
    Ok(())
}

/// A lab whose controller does not start leaves nothing behind.
#[test]
fn a_failed_start_leaves_nothing() -> Tested {
    let name = fresh_name()?;
    let plan = Plan {
        name: name.clone(),
        hosts: 1,
        manager: Manager::Own { program: "/nonexistent/weir".into(), arguments: Vec::new() },
    };
    let mut lab = Lab::up(plan, &Interrupt::never())?;
    let failed = lab.connect();
    drop(lab);
    assert!(matches!(failed, Err(LabError::ControllerEnded { .. })), "{failed:?}");
    assert_eq!(Namespace::all(name.as_str())?, []);
    assert!(!name.directory().exists());
    Ok(())
}
