//! Commands about security groups, their rules and address groups.

use crate::draft::Draft;
use crate::{
    AddressGroupId, AddressGroupPatch, NewAddressGroup, NewSecurityGroup, NewSecurityGroupRule, Outcome, ProjectId,
    Rejection, SecurityGroupId, SecurityGroupPatch, SecurityGroupRuleId,
};

fn unfinished() -> Result<Outcome, Rejection> {
    Err(Rejection::InvalidInput("unfinished".to_owned()))
}

pub(super) fn ensure_default(_: &mut Draft, _: &ProjectId) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn create_groups(_: &mut Draft, _: Vec<NewSecurityGroup>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn update_group(
    _: &mut Draft,
    _: SecurityGroupId,
    _: SecurityGroupPatch,
    _: Option<u64>,
) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn delete_group(_: &mut Draft, _: SecurityGroupId, _: Option<u64>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn create_rules(_: &mut Draft, _: Vec<NewSecurityGroupRule>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn delete_rule(_: &mut Draft, _: SecurityGroupRuleId, _: Option<u64>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn create_address_groups(_: &mut Draft, _: Vec<NewAddressGroup>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn update_address_group(
    _: &mut Draft,
    _: AddressGroupId,
    _: AddressGroupPatch,
    _: Option<u64>,
) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn delete_address_group(_: &mut Draft, _: AddressGroupId, _: Option<u64>) -> Result<Outcome, Rejection> {
    unfinished()
}
