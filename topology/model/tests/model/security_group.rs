//! Security groups.

use crate::cloud::{Cloud, grp, host, patched, project};
use weir_model::{
    Command, Direction, Ethertype, GroupKey, NewSecurityGroup, Outcome, PortPatch, Remote, SecurityGroupId,
    SecurityGroupPatch,
};

fn ways(cloud: &Cloud, group: SecurityGroupId) -> Vec<(Direction, Ethertype, Remote)> {
    let mut ways: Vec<_> =
        cloud.topology.rules_of(group).map(|rule| (rule.direction, rule.ethertype, rule.remote)).collect();
    ways.sort();
    ways
}

fn patch(id: SecurityGroupId, patch: SecurityGroupPatch) -> Command {
    Command::UpdateSecurityGroup { id, patch, if_revision: None }
}

fn deleted(id: SecurityGroupId) -> Command {
    Command::DeleteSecurityGroup { id, if_revision: None }
}

#[test]
fn a_group_lets_everything_out_and_the_default_one_its_members_in() {
    use Direction::{Egress, Ingress};
    use Ethertype::{V4, V6};
    let mut cloud = Cloud::default();
    let new = cloud.new_group();
    let group = cloud.create_group(new);
    assert_eq!((group.revision_number, group.stateful, group.name.as_str()), (1, true, ""));
    assert_eq!(ways(&cloud, group.id), [(Egress, V4, Remote::Anybody), (Egress, V6, Remote::Anybody)]);
    let default = cloud.topology.default_security_group("alpha").expect("made along").clone();
    assert_eq!((default.name.as_str(), default.description.as_str()), ("default", "Default security group"));
    assert_eq!((default.key, group.key), (GroupKey(1), GroupKey(2)));
    let members = Remote::Group(default.id);
    assert_eq!(
        ways(&cloud, default.id),
        [(Ingress, V4, members), (Ingress, V6, members), (Egress, V4, Remote::Anybody), (Egress, V6, Remote::Anybody)]
    );
    assert!(cloud.topology.rules_of(default.id).all(|rule| rule.revision_number == 0));
    assert_eq!(cloud.topology.security_group_by_key(GroupKey(2)), Some(&group));
    assert_eq!(cloud.topology.security_groups_of_project("alpha").count(), 2);
}

#[test]
fn the_default_group_is_made_once_and_has_the_same_ids_everywhere() {
    let mut one = Cloud::default();
    let made = one.done(Command::EnsureDefaultSecurityGroup(project()));
    let Outcome::SecurityGroups(groups) = &made else { panic!("{made:?}") };
    assert_eq!(Some(&groups[0]), one.topology.default_security_group("alpha"));
    assert_eq!(one.done(Command::EnsureDefaultSecurityGroup(project())), made);
    assert!(one.commit.changes.is_empty());
    one.done(Command::EnsureDefaultSecurityGroup("beta".into()));
    let beta = one.topology.default_security_group("beta").expect("made");
    assert_ne!(beta.id, groups[0].id);
    let mut two = Cloud::default();
    two.group();
    assert_eq!(two.topology.default_security_group("alpha").map(|it| it.id), Some(groups[0].id));
    let ids = |cloud: &Cloud| cloud.topology.rules_of(groups[0].id).map(|rule| rule.id).collect::<Vec<_>>();
    assert_eq!(ids(&one), ids(&two));
    one.done(deleted(groups[0].id));
    assert_eq!(one.topology.default_security_group("alpha"), None);
    assert_eq!(one.topology.rules_of(groups[0].id).count(), 0);
    let network = one.network();
    assert_eq!(one.port(network).security_groups, [groups[0].id]);
}

#[test]
fn nobody_else_is_called_default() {
    let mut cloud = Cloud::default();
    let taken = ("SecurityGroupDefaultAlreadyExists", 409, "Default security group already exists.".to_owned());
    for name in ["default", "Default"] {
        let new = NewSecurityGroup { name: Some(name.into()), ..cloud.new_group() };
        assert_eq!(cloud.refused(Command::CreateSecurityGroups(vec![new])), taken);
    }
    assert_eq!(cloud.topology.security_groups().len(), 0);
    let group = cloud.group();
    let renamed = |name: &str| SecurityGroupPatch { name: Some(name.into()), ..SecurityGroupPatch::default() };
    assert_eq!(cloud.refused(patch(group, renamed("DEFAULT"))), taken);
    let default = cloud.topology.default_security_group("alpha").expect("made").id;
    assert_eq!(
        cloud.refused(patch(default, renamed("web"))),
        ("SecurityGroupCannotUpdateDefault", 409, "Updating default security group not allowed.".to_owned())
    );
    let described = SecurityGroupPatch { description: Some("ours".into()), ..SecurityGroupPatch::default() };
    cloud.done(patch(default, described));
    assert_eq!(cloud.topology.security_group(default).map(|it| it.description.as_str()), Some("ours"));
}

#[test]
fn a_group_changes_and_counts_its_changes_and_rules() {
    let mut cloud = Cloud::default();
    let id = cloud.group();
    let revision = |cloud: &Cloud| cloud.topology.security_group(id).map(|it| (it.revision_number, it.updated_at));
    let change = SecurityGroupPatch {
        name: Some("web".into()),
        description: Some("servers".into()),
        stateful: Some(false),
        tags: Some(["blue".to_owned()].into()),
    };
    let Outcome::SecurityGroups(changed) = cloud.done(patch(id, change.clone())) else { panic!("groups are answered") };
    assert_eq!((changed[0].name.as_str(), changed[0].description.as_str()), ("web", "servers"));
    assert_eq!((changed[0].stateful, changed[0].tags.len()), (false, 1));
    assert_eq!(revision(&cloud), Some((2, cloud.now())));
    cloud.done(patch(id, change));
    assert!(cloud.commit.changes.is_empty());
    let rule = cloud.rule(id, |_| {}).id;
    assert_eq!(revision(&cloud), Some((3, cloud.now())));
    cloud.done(Command::DeleteSecurityGroupRule { id: rule, if_revision: None });
    assert_eq!(revision(&cloud), Some((4, cloud.now())));
    let stale = Command::UpdateSecurityGroup { id, patch: SecurityGroupPatch::default(), if_revision: Some(3) };
    assert_eq!(cloud.refused(stale).0, "RevisionNumberConstraintFailed");
    let stale = Command::DeleteSecurityGroup { id, if_revision: Some(3) };
    assert_eq!(cloud.refused(stale).0, "RevisionNumberConstraintFailed");
}

#[test]
fn a_group_that_ports_have_stays_and_stays_as_stateful_as_it_is() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let group = cloud.group();
    let mut new = cloud.new_port(network);
    new.security_groups = Some(vec![group]);
    let port = cloud.create_port(new).id;
    let in_use = ("SecurityGroupInUse", 409, format!("Security Group {group} in use."));
    assert_eq!(cloud.refused(deleted(group)), in_use);
    let stateless = SecurityGroupPatch { stateful: Some(false), ..SecurityGroupPatch::default() };
    assert_eq!(cloud.refused(patch(group, stateless.clone())), in_use);
    let same = SecurityGroupPatch { stateful: Some(true), ..SecurityGroupPatch::default() };
    cloud.done(patch(group, same));
    let none = PortPatch { security_groups: Some(Vec::new()), ..PortPatch::default() };
    cloud.done(patched(port, none));
    cloud.done(patch(group, stateless));
    cloud.done(deleted(group));
    assert_eq!(cloud.topology.security_group(group), None);
}

#[test]
fn a_group_takes_its_rules_along_and_those_that_name_it() {
    let mut cloud = Cloud::default();
    let (gone, other, third) = (cloud.group(), cloud.group(), cloud.group());
    let own = cloud.rule(gone, |rule| rule.remote = Remote::Group(other)).id;
    let naming = cloud.rule(other, |rule| rule.remote = Remote::Group(gone)).id;
    let kept = cloud.rule(other, |rule| rule.remote = Remote::Group(third)).id;
    let revision = |cloud: &Cloud| cloud.topology.security_group(other).map(|it| it.revision_number);
    assert_eq!(revision(&cloud), Some(3));
    cloud.done(deleted(gone));
    let there = [own, naming, kept].map(|rule| cloud.topology.security_group_rule(rule).is_some());
    assert_eq!(there, [false, false, true]);
    assert_eq!(revision(&cloud), Some(4), "the loss of a rule counts");
    assert_eq!(cloud.topology.rules_by_remote(gone).count(), 0);
    assert_eq!(cloud.topology.rules_of(other).count(), 3);
}

#[test]
fn groups_that_are_not_there_or_there_already() {
    let mut cloud = Cloud::default();
    let missing = ("SecurityGroupNotFound", 404, format!("Security group {} does not exist", grp(9)));
    assert_eq!(cloud.refused(patch(grp(9), SecurityGroupPatch::default())), missing);
    assert_eq!(cloud.refused(deleted(grp(9))), missing);
    let group = cloud.group();
    let again = NewSecurityGroup::new(group, project());
    assert_eq!(
        cloud.refused(Command::CreateSecurityGroups(vec![again])),
        ("Conflict", 409, format!("Security group {group} already exists."))
    );
}

#[test]
fn a_port_takes_the_default_group_unless_it_says_otherwise() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let port = cloud.port(network);
    let default = cloud.topology.default_security_group("alpha").expect("made with the port").id;
    assert_eq!(port.security_groups, [default]);
    let group = cloud.group();
    let mut new = cloud.new_port(network);
    new.security_groups = Some(vec![group, default, group]);
    assert_eq!(cloud.create_port(new).security_groups, [group, default], "each once, as asked");
    let mut new = cloud.new_port(network);
    new.security_groups = Some(Vec::new());
    assert_eq!(cloud.create_port(new).security_groups, []);
    let mut new = cloud.new_port(network);
    new.port_security_enabled = Some(false);
    assert_eq!(cloud.create_port(new).security_groups, []);
    let mut new = cloud.new_port(network);
    new.project_id = "beta".into();
    new.port_security_enabled = Some(false);
    cloud.create_port(new);
    assert_eq!(cloud.topology.default_security_group("beta"), None, "not needed yet");
    let groups = Some(vec![group]);
    let changed = cloud.update_port(port.id, PortPatch { security_groups: groups, ..PortPatch::default() });
    assert_eq!((changed.security_groups.as_slice(), changed.revision_number), ([group].as_slice(), 2));
    let named = cloud.update_port(port.id, PortPatch { name: Some("vm".into()), ..PortPatch::default() });
    assert_eq!(named.security_groups, [group]);
}

#[test]
fn groups_need_port_security() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let group = cloud.group();
    let required = (
        "PortSecurityAndIPRequiredForSecurityGroups",
        400,
        "Port security must be enabled and port must have an IP address in order to use security groups.".to_owned(),
    );
    let mut new = cloud.new_port(network);
    new.port_security_enabled = Some(false);
    new.security_groups = Some(vec![group]);
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new.clone()])), required);
    new.port_security_enabled = None;
    let port = cloud.create_port(new).id;
    let open = PortPatch { port_security_enabled: Some(false), ..PortPatch::default() };
    assert_eq!(
        cloud.refused(patched(port, open.clone())),
        (
            "PortSecurityPortHasSecurityGroup",
            409,
            "Port has security group associated. Cannot disable port security or IP address until security group is \
             removed."
                .to_owned()
        )
    );
    let with = |groups: Vec<SecurityGroupId>| PortPatch { security_groups: Some(groups), ..open.clone() };
    assert_eq!(cloud.refused(patched(port, with(vec![group]))), required);
    let opened = cloud.update_port(port, with(Vec::new()));
    assert!(!opened.port_security_enabled && opened.security_groups.is_empty());
    let late = PortPatch { security_groups: Some(vec![group]), ..PortPatch::default() };
    assert_eq!(cloud.refused(patched(port, late.clone())), required);
    let closed = cloud.update_port(port, PortPatch { port_security_enabled: Some(true), ..late });
    assert_eq!(closed.security_groups, [group]);
}

#[test]
fn a_port_has_groups_that_are_there_and_agree_on_state() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let with_state = cloud.group();
    let new = NewSecurityGroup { stateful: Some(false), ..cloud.new_group() };
    let without = cloud.create_group(new).id;
    let mixed = (
        "SecurityGroupConflict",
        409,
        "Error Cannot apply both stateful and stateless security groups on the same port at the same time while \
         attempting the operation."
            .to_owned(),
    );
    let missing = ("SecurityGroupNotFound", 404, format!("Security group {} does not exist", grp(99)));
    let port = cloud.port(network).id;
    for (groups, fault) in [(vec![with_state, without], mixed), (vec![without, grp(99)], missing)] {
        let mut new = cloud.new_port(network);
        new.security_groups = Some(groups.clone());
        assert_eq!(cloud.refused(Command::CreatePorts(vec![new])), fault);
        let patch = PortPatch { security_groups: Some(groups), ..PortPatch::default() };
        assert_eq!(cloud.refused(patched(port, patch)), fault);
    }
    let patch = PortPatch { security_groups: Some(vec![without]), ..PortPatch::default() };
    let port = cloud.update_port(port, patch);
    let set = cloud.topology.set_of(&port).expect("port security is on").clone();
    assert!(!cloud.topology.is_stateful(&set));
}

#[test]
fn the_networks_own_ports_are_trusted() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.hypervisor("h1", 1);
    let mut new = cloud.new_port(network);
    new.device_owner = Some("network:dhcp".into());
    new.port_security_enabled = Some(true);
    new.binding_host = Some(host("h1"));
    let own = cloud.create_port(new.clone());
    assert!(!own.port_security_enabled && own.security_groups.is_empty());
    assert_eq!((cloud.topology.set_of(&own), cloud.topology.security_sets().len()), (None, 0));
    assert_eq!(cloud.topology.default_security_group("alpha"), None);
    let group = cloud.group();
    new.security_groups = Some(vec![group]);
    new.id = crate::cloud::prt(70);
    let required = "PortSecurityAndIPRequiredForSecurityGroups";
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new])).0, required);
    let groups = PortPatch { security_groups: Some(vec![group]), ..PortPatch::default() };
    assert_eq!(cloud.refused(patched(own.id, groups)).0, required);
    let port = cloud.port(network).id;
    let taken = PortPatch { device_owner: Some("network:router_interface".into()), ..PortPatch::default() };
    let port = cloud.update_port(port, taken);
    assert!(!port.port_security_enabled && port.security_groups.is_empty());
}
