//! What is asked of a topology about security groups.

use crate::transact::default_id;
use crate::tree::Tree;
use crate::{
    AddressGroup, AddressGroupId, AddressGroupKey, GroupKey, HostKey, HostName, NetworkKey, Port, RuleKey,
    SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, SecuritySet, SetKey, Topology, Zone, Zones,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Topology {
    /// A security group.
    pub fn security_group(&self, id: SecurityGroupId) -> Option<&Arc<SecurityGroup>> {
        self.security_groups.get(&id)
    }

    /// All security groups by id.
    pub fn security_groups(&self) -> impl ExactSizeIterator<Item = &Arc<SecurityGroup>> {
        self.security_groups.values()
    }

    /// The security groups of a project by id.
    pub fn security_groups_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<SecurityGroup>> + use<'_> {
        self.index.security_groups_of_project.of(project).filter_map(|id| self.security_groups.get(id))
    }

    /// The security group `default` of a project.
    pub fn default_security_group(&self, project: &str) -> Option<&Arc<SecurityGroup>> {
        self.security_groups.get(&default_id(project))
    }

    /// The security group with this number in flows.
    pub fn security_group_by_key(&self, key: GroupKey) -> Option<&Arc<SecurityGroup>> {
        self.security_groups.get(self.index.group_by_key.get(&key)?)
    }

    /// A rule of a security group.
    pub fn security_group_rule(&self, id: SecurityGroupRuleId) -> Option<&Arc<SecurityGroupRule>> {
        self.security_group_rules.get(&id)
    }

    /// All rules of security groups by id.
    pub fn security_group_rules(&self) -> impl ExactSizeIterator<Item = &Arc<SecurityGroupRule>> {
        self.security_group_rules.values()
    }

    /// The rule with this number in flows.
    pub fn rule_by_key(&self, key: RuleKey) -> Option<&Arc<SecurityGroupRule>> {
        self.security_group_rules.get(self.index.rule_by_key.get(&key)?)
    }

    /// The rules of a security group by id.
    pub fn rules_of(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<SecurityGroupRule>> {
        self.index.rules_of_group.of(&group).filter_map(|id| self.security_group_rules.get(id))
    }

    /// The rules that name a security group as remote, by id.
    pub fn rules_by_remote(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<SecurityGroupRule>> {
        self.index.rules_by_remote.of(&group).filter_map(|id| self.security_group_rules.get(id))
    }

    /// The rules that name an address group, by id.
    pub fn rules_by_addresses(&self, group: AddressGroupId) -> impl Iterator<Item = &Arc<SecurityGroupRule>> {
        self.index.rules_by_addresses.of(&group).filter_map(|id| self.security_group_rules.get(id))
    }

    /// An address group.
    pub fn address_group(&self, id: AddressGroupId) -> Option<&Arc<AddressGroup>> {
        self.address_groups.get(&id)
    }

    /// All address groups by id.
    pub fn address_groups(&self) -> impl ExactSizeIterator<Item = &Arc<AddressGroup>> {
        self.address_groups.values()
    }

    /// The address groups of a project by id.
    pub fn address_groups_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<AddressGroup>> + use<'_> {
        self.index.address_groups_of_project.of(project).filter_map(|id| self.address_groups.get(id))
    }

    /// The address group with this number in flows.
    pub fn address_group_by_key(&self, key: AddressGroupKey) -> Option<&Arc<AddressGroup>> {
        self.address_groups.get(self.index.address_group_by_key.get(&key)?)
    }

    /// A set of security groups.
    pub fn security_set(&self, key: SetKey) -> Option<&Arc<SecuritySet>> {
        self.security_sets.get(&key)
    }

    /// All sets of security groups by number.
    pub fn security_sets(&self) -> impl ExactSizeIterator<Item = &Arc<SecuritySet>> {
        self.security_sets.values()
    }

    /// The set of a port's security groups; none without port security.
    pub fn set_of(&self, port: &Port) -> Option<&Arc<SecuritySet>> {
        self.security_sets.get(&self.index.set_of(port)?)
    }

    /// Whether connections of the set's ports are followed. Its groups agree on it; the set of no groups is stateful.
    pub fn is_stateful(&self, set: &SecuritySet) -> bool {
        set.groups.iter().all(|group| self.security_group(*group).is_none_or(|group| group.stateful))
    }

    /// The sets with a rule that names a security group as remote, by number.
    pub fn sets_naming(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<SecuritySet>> {
        self.sets_of_rules(self.rules_by_remote(group))
    }

    /// The sets with a rule that names an address group, by number.
    pub fn sets_naming_addresses(&self, group: AddressGroupId) -> impl Iterator<Item = &Arc<SecuritySet>> {
        self.sets_of_rules(self.rules_by_addresses(group))
    }

    fn sets_of_rules<'a>(
        &'a self,
        rules: impl Iterator<Item = &'a Arc<SecurityGroupRule>>,
    ) -> impl Iterator<Item = &'a Arc<SecuritySet>> {
        let groups: BTreeSet<SecurityGroupId> = rules.map(|rule| rule.security_group_id).collect();
        let keys: BTreeSet<SetKey> =
            groups.iter().flat_map(|group| self.index.sets_of_group.of(group)).copied().collect();
        keys.into_iter().filter_map(|key| self.security_sets.get(&key))
    }

    /// The sets that a security group is in, by number.
    pub fn sets_of_group(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<SecuritySet>> {
        self.index.sets_of_group.of(&group).filter_map(|key| self.security_sets.get(key))
    }

    /// The ports of a set, by number.
    pub fn ports_of_set(&self, set: SetKey) -> impl Iterator<Item = &Arc<Port>> {
        self.index.ports_of_set.of(&set).filter_map(|key| self.port_by_key(*key))
    }

    /// The ports that have a security group, set by set, each by number. They all have port security.
    pub fn ports_of_group(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<Port>> {
        self.sets_of_group(group).flat_map(|set| self.ports_of_set(set.key))
    }

    /// The addresses by which a rule with this group as remote knows the group's ports, each once: fixed addresses and
    /// address pairs of ports with port security, host bits zero.
    pub fn addresses_of_group(&self, group: SecurityGroupId) -> impl Iterator<Item = IpNet> {
        self.index.addresses_of_group.get(&group).into_iter().flat_map(Tree::keys).copied()
    }

    /// Whether [`addresses_of_group`](Self::addresses_of_group) has this address.
    pub fn is_address_of_group(&self, group: SecurityGroupId, address: IpNet) -> bool {
        self.index.addresses_of_group.get(&group).is_some_and(|addresses| addresses.contains_key(&address))
    }

    /// The hypervisors that ports of a set are bound to, with how many, by name.
    pub fn hosts_of_set(&self, set: SetKey) -> impl Iterator<Item = (&HostName, u32)> {
        self.index.hosts_of_set.get(&set).into_iter().flatten().map(|(host, count)| (host, *count))
    }

    /// The sets that have ports bound to a hypervisor, with how many ports, by number.
    pub fn sets_on(&self, host: &HostName) -> impl Iterator<Item = (SetKey, u32)> + use<'_> {
        self.index.sets_of_host.get(host).into_iter().flatten().map(|(set, count)| (*set, *count))
    }

    /// How many ports of a set are bound to a hypervisor.
    pub fn bound_count_of_set(&self, set: SetKey, host: &HostName) -> u32 {
        self.index.hosts_of_set.get(&set).and_then(|hosts| hosts.get(host)).copied().unwrap_or(0)
    }

    /// The conntrack zones of a hypervisor.
    pub fn zones_of(&self, host: HostKey) -> Option<&Arc<Zones>> {
        self.zones.get(&host)
    }

    /// All hypervisors' conntrack zones.
    pub fn zones(&self) -> impl ExactSizeIterator<Item = &Arc<Zones>> {
        self.zones.values()
    }

    /// The conntrack zone of a network on a hypervisor, or of the connections between the networks that routers
    /// connect with this one, which has the lowest number of them.
    pub fn zone(&self, host: HostKey, network: NetworkKey) -> Option<Zone> {
        self.zones_of(host)?.of.get(&network).copied()
    }
}
