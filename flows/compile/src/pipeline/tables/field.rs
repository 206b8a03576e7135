//! The registers of br-int by what stands in them.

use weir_openflow::Field;

pub(super) const NETWORK: Field = Field::Metadata;
pub(super) const SOURCE: Field = Field::Reg0;
pub(super) const DESTINATION: Field = Field::Reg1;
pub(super) const FLAGS: Field = Field::Reg2;
pub(super) const SOURCE_SET: Field = Field::Reg3;
pub(super) const DESTINATION_SET: Field = Field::Reg4;
pub(super) const SUBJECT: Field = Field::Reg5;
pub(super) const ZONE: Field = Field::Reg14;
pub(super) const LETS_OUT: Field = Field::Reg6;
pub(super) const LETS_IN: Field = Field::Reg12;
pub(super) const ROUTER: Field = Field::Reg7;
pub(super) const NEXT_HOP_V4: Field = Field::Reg8;
pub(super) const NEXT_HOP_V6: Field = Field::Xxreg2;
pub(super) const ARRIVAL: Field = Field::Reg13;
pub(super) const OUTGOING_MAC: Field = Field::Xreg7;
