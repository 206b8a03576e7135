//! What Weir writes into a hypervisor's database, and what it leaves alone.

use std::fs;

use weir::cli::lab::Hypervisor;
use weir::cli::lab::wait::Look;

use super::switch::BRIDGES;
use super::world::{Failure, Tested, World};

/// A hypervisor's own things, which are none of Weir's business.
const FOREIGN: &str = "add-br br-foreign -- set Bridge br-foreign datapath_type=netdev fail_mode=standalone \
    external_ids:owner=someone -- add-port br-foreign eth9 -- set Interface eth9 type=internal \
    -- set Open_vSwitch . external_ids:foreign=kept other_config:max-idle=20000";

fn bridge(host: &Hypervisor, bridge: &str, column: &str) -> Result<String, Failure> {
    Ok(host.vsctl(["--bare", "get", "Bridge", bridge, column])?.trim().to_owned())
}

/// Everything in the database that is kept on disk and none of Weir's.
fn foreign(host: &Hypervisor) -> Result<String, Failure> {
    let mut text = String::new();
    for (table, columns, record) in [
        ("Bridge", "name,ports,controller,fail_mode,datapath_type,protocols,other_config,external_ids", "br-foreign"),
        ("Bridge", "name,ports,controller,fail_mode,datapath_type,protocols,other_config,external_ids", "br-phy"),
        ("Interface", "name,type,options,external_ids,ofport_request", "eth9"),
        ("Open_vSwitch", "external_ids,other_config,manager_options", "."),
    ] {
        text += &host.vsctl([&format!("--columns={columns}"), "list", table, record])?;
    }
    Ok(text)
}

#[test]
fn bridges_are_made_once_and_foreign_rows_stay() -> Tested {
    let mut world = World::new(1)?;
    let host = world.lab.host("h1")?.clone();
    for name in BRIDGES {
        assert_eq!(bridge(&host, name, "fail_mode")?, "secure");
        assert_eq!(bridge(&host, name, "datapath_type")?, "netdev");
        assert_eq!(bridge(&host, name, "other_config:disable-in-band")?.trim_matches('"'), "true");
        // Plain ovs-ofctl, which speaks OpenFlow 1.0 unless told otherwise, still works.
        let plain = host.namespace().tool("ovs-ofctl").arg("dump-flows");
        let plain = plain.arg(format!("unix:{}", host.bridge_socket(name).display())).run()?;
        assert!(plain.contains("table=0"), "{plain}");
    }
    let ports = host.vsctl(["list-ports", "br-int"])?;
    assert!(ports.contains("patch-tun"), "{ports}");
    let options = host.vsctl(["get", "Interface", "weir-vxlan", "type", "options"])?;
    assert!(options.contains("vxlan") && options.contains("remote_ip=flow"), "{options}");
    assert!(options.contains("key=flow"), "{options}");

    // Foreign rows stay as they are, also when the controller sets something right beside them.
    host.vsctl(FOREIGN.split_whitespace())?;
    let before = foreign(&host)?;
    host.vsctl(["set-fail-mode", "br-int", "standalone"])?;
    host.vsctl(["del-port", "br-tun", "weir-vxlan"])?;
    world.wait("what was undone by hand is set right", || {
        let mode = host.vsctl(["get-fail-mode", "br-int"])?;
        let ports = host.vsctl(["list-ports", "br-tun"])?;
        Ok(Look::when(mode.trim() == "secure" && ports.contains("weir-vxlan"), format!("{mode} {ports}")))
    })?;
    assert_eq!(foreign(&host)?, before);

    // A second controller process finds everything right and writes nothing: the database's file, a log of all
    // transactions on columns that are kept, does not grow.
    let file = host.directory().join("conf.db");
    let size = fs::metadata(&file)?.len();
    world.lab.kill_controller()?;
    world.lab.start_controller()?;
    world.lab.wait_in_step()?;
    assert_eq!(fs::metadata(&file)?.len(), size);
    assert_eq!(foreign(&host)?, before);
    Ok(())
}
