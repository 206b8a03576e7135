//! A topology from what was kept on disk.

use crate::change::{Change, Diff};
use crate::{
    Limits, LoadError, Port, Record, RecordKey, Remote, Revision, SecurityGroupId, SecurityGroupRule, Segment, Topology,
};
use std::sync::Arc;

impl Topology {
    /// The topology that left these records behind, in any order, without facts that do not
    /// outlive the process.
    ///
    /// # Errors
    /// Records that contradict each other: see [`LoadError`].
    pub fn load(limits: Limits, records: impl Iterator<Item = Record>, revision: Revision) -> Result<Self, LoadError> {
        let mut records: Vec<Record> = records.collect();
        records.sort_by_key(Record::key);
        if let Some(pair) = records.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
            return Err(LoadError::Twice(pair[0].key()));
        }
        let mut topology = Self::new(limits);
        topology.revision = revision;
        for record in records {
            topology.take_in(record)?;
        }
        topology.check_sets()?;
        // A version that knew nothing of generations left the sets' but not the counter.
        let given =
            topology.security_sets.values().filter_map(|set| set.generation).map(|generation| generation.0).max();
        topology.counters.generation = topology.counters.generation.max(given.unwrap_or(0));
        Ok(topology)
    }

    /// Takes in a record; networks come before subnets, groups before sets, those and routers before ports, as keys are ordered.
    fn take_in(&mut self, record: Record) -> Result<(), LoadError> {
        let key = record.key();
        let missing = |network| LoadError::NoNetwork { record: key, network };
        match &record {
            Record::Network(it) => {
                if self.index.network_by_key.contains_key(&it.key) {
                    return Err(LoadError::NetworkKey { network: it.id, key: it.key });
                }
                let Segment::Vxlan { vni } = it.segment;
                if self.index.network_by_vni.contains_key(&vni) {
                    return Err(LoadError::Vni { network: it.id, vni });
                }
            }
            Record::Subnet(it) => {
                if self.network(it.network_id).is_none() {
                    return Err(missing(it.network_id));
                }
            }
            Record::Port(it) => {
                if self.network(it.network_id).is_none() {
                    return Err(missing(it.network_id));
                }
                if self.index.port_by_key.contains_key(&it.key) {
                    return Err(LoadError::PortKey { port: it.id, key: it.key });
                }
                self.check_addresses(it)?;
                self.check_groups(it)?;
            }
            Record::Hypervisor(it) => {
                let aliases = &self.index.host_by_alias;
                if aliases.contains_key(&it.name)
                    || aliases.contains_key(it.system_id.as_str())
                    || self.index.host_by_encap.contains_key(&it.encap_ip)
                    || self.index.host_by_key.contains_key(&it.key)
                {
                    return Err(LoadError::Hypervisor(it.name.clone()));
                }
            }
            Record::AddressGroup(it) => {
                check_number(key, self.index.address_group_by_key.contains_key(&it.key))?;
            }
            Record::SecurityGroup(it) => check_number(key, self.index.group_by_key.contains_key(&it.key))?,
            Record::SecurityGroupRule(it) => {
                check_number(key, self.index.rule_by_key.contains_key(&it.key))?;
                self.check_rule(it)?;
            }
            Record::Router(it) => check_number(key, self.index.router_by_key.contains_key(&it.key))?,
            Record::SecuritySet(it) => {
                if self.index.set_by_groups.contains_key(&it.groups) {
                    return Err(LoadError::Set(it.key));
                }
                self.check_groups_named(key, it.groups.iter())?;
            }
            Record::Zones(it) => {
                if self.index.host_by_key.get(&it.host).is_none() {
                    return Err(LoadError::Dangling { record: key, named: RecordKey::Hypervisor(it.host) });
                }
                let known = |network| self.index.network_by_key.contains_key(network);
                if !it.are_sound() || !it.of.keys().all(known) {
                    return Err(LoadError::Zones(it.host));
                }
            }
            Record::Counters(_) => {}
        }
        self.apply(&match record {
            Record::Network(it) => Change::Network(made(it)),
            Record::Subnet(it) => Change::Subnet(made(it)),
            Record::Port(it) => Change::Port(made(self.sharing(it))),
            Record::AddressGroup(it) => Change::AddressGroup(made(it)),
            Record::SecurityGroup(it) => Change::SecurityGroup(made(it)),
            Record::SecurityGroupRule(it) => Change::SecurityGroupRule(made(it)),
            Record::SecuritySet(it) => Change::SecuritySet(made(it)),
            Record::Router(it) => Change::Router(made(it)),
            Record::Zones(it) => Change::Zones(made(it)),
            Record::Hypervisor(it) => Change::Hypervisor(made(it)),
            Record::Counters(after) => Change::Counters { before: self.counters, after },
        });
        Ok(())
    }

    fn check_addresses(&self, port: &Port) -> Result<(), LoadError> {
        if self.mac_holder(port.network_id, port.mac_address).is_some() {
            return Err(LoadError::Address(port.id));
        }
        for (at, fixed) in port.fixed_ips.iter().enumerate() {
            let subnet = self.subnet(fixed.subnet_id);
            if subnet.is_none_or(|subnet| subnet.network_id != port.network_id) {
                let subnet = fixed.subnet_id;
                return Err(LoadError::NoSubnet { port: port.id, subnet });
            }
            let taken = self.address_holder(fixed.subnet_id, fixed.ip_address).is_some();
            if taken || port.fixed_ips[..at].contains(fixed) {
                return Err(LoadError::Address(port.id));
            }
        }
        Ok(())
    }

    /// The port with its owner and host sharing the memory of those of other ports.
    fn sharing(&self, port: Arc<Port>) -> Arc<Port> {
        let mut port = Arc::unwrap_or_clone(port);
        self.share_names(&mut port);
        Arc::new(port)
    }

    fn check_groups_named<'a>(
        &self,
        record: RecordKey,
        mut groups: impl Iterator<Item = &'a SecurityGroupId>,
    ) -> Result<(), LoadError> {
        match groups.find(|group| !self.security_groups.contains_key(*group)) {
            Some(group) => Err(LoadError::Dangling { record, named: RecordKey::SecurityGroup(*group) }),
            None => Ok(()),
        }
    }

    /// Ports with port security have a set, unless no port has; others have no groups.
    fn check_groups(&self, port: &Port) -> Result<(), LoadError> {
        self.check_groups_named(RecordKey::Port(port.id), port.security_groups.iter())?;
        let sound = match port.port_security_enabled {
            true => self.security_sets.is_empty() && port.security_groups.is_empty() || self.set_of(port).is_some(),
            false => port.security_groups.is_empty(),
        };
        if sound { Ok(()) } else { Err(LoadError::Groups(port.id)) }
    }

    fn check_rule(&self, rule: &SecurityGroupRule) -> Result<(), LoadError> {
        let record = RecordKey::SecurityGroupRule(rule.id);
        self.check_groups_named(record, std::iter::once(&rule.security_group_id))?;
        match &rule.remote {
            Remote::Group(group) => self.check_groups_named(record, std::iter::once(group)),
            Remote::Addresses(group) if !self.address_groups.contains_key(group) => {
                Err(LoadError::Dangling { record, named: RecordKey::AddressGroup(*group) })
            }
            _ => Ok(()),
        }
    }

    fn check_sets(&self) -> Result<(), LoadError> {
        let unused = self.security_sets.keys().find(|key| self.index.ports_of_set.count(*key) == 0);
        unused.map_or(Ok(()), |key| Err(LoadError::Set(*key)))
    }
}

fn check_number(record: RecordKey, taken: bool) -> Result<(), LoadError> {
    if taken { Err(LoadError::Number { record }) } else { Ok(()) }
}

fn made<T>(after: Arc<T>) -> Diff<T> {
    Diff { before: None, after: Some(after) }
}
