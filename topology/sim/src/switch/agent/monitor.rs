//! Flow monitors: controllers that are told what changes (OpenFlow 1.5, section 7.3.5.19).

use super::super::{Bridge, FlowChange};
use super::connection::Connection;
use super::describe::is_narrower;
use weir_openflow::message::{FlowUpdate, MonitorCommand, MonitorRequest, MultipartReply};
use weir_openflow::{Flow, GroupId, Instructions, Message, PortNo, TableId, Xid};

use super::describe::{outputs_to_group, outputs_to_port};

fn concerns(monitor: &MonitorRequest, flow: &Flow) -> bool {
    (monitor.table == TableId::ALL || monitor.table == flow.key.table)
        && (monitor.out_port == PortNo::ANY || outputs_to_port(flow, monitor.out_port))
        && (monitor.out_group == GroupId::ANY || outputs_to_group(flow, monitor.out_group))
        && is_narrower(&flow.key.matching, &monitor.matching)
}

/// The flow as a monitor tells it.
fn told(monitor: &MonitorRequest, flow: &Flow) -> Flow {
    let mut flow = flow.clone();
    if !monitor.flags.instructions {
        flow.instructions = Instructions::default();
    }
    flow
}

/// Starts, changes or ends monitors; what they tell at once.
pub(super) fn change(connection: &mut Connection, bridge: &Bridge, requests: Vec<MonitorRequest>) -> Vec<FlowUpdate> {
    let mut updates = Vec::new();
    for request in requests {
        if request.command == MonitorCommand::Delete {
            connection.monitors.remove(&request.id);
            continue;
        }
        if request.flags.initial {
            let present = bridge.flows().filter(|flow| concerns(&request, flow));
            updates.extend(present.map(|flow| FlowUpdate::Initial(told(&request, flow))));
        }
        connection.monitors.insert(request.id, request);
    }
    updates
}

/// Tells the monitors of a connection what changed; `own` is the request of this connection that did it.
pub(super) fn tell(connection: &mut Connection, changes: &[FlowChange], own: Option<Xid>) {
    let mut updates = Vec::new();
    for monitor in connection.monitors.values() {
        let mut abbreviated = false;
        for change in changes {
            if monitor.flags.only_own && own.is_none() {
                continue;
            }
            let (flow, wanted) = match change {
                FlowChange::Added(flow) => (flow, monitor.flags.added),
                FlowChange::Removed { flow, .. } => (flow, monitor.flags.removed),
            };
            if !wanted || !concerns(monitor, flow) {
                continue;
            }
            match (own, change) {
                (Some(_), _) if !monitor.flags.no_abbrev => abbreviated = true,
                (_, FlowChange::Added(flow)) => updates.push(FlowUpdate::Added(told(monitor, flow))),
                (_, FlowChange::Removed { flow, reason, .. }) => {
                    let flow = Flow { instructions: Instructions::default(), ..Flow::clone(flow) };
                    updates.push(FlowUpdate::Removed { flow, reason: *reason });
                }
            }
        }
        if let Some(xid) = own.filter(|_| abbreviated) {
            updates.push(FlowUpdate::Abbreviated(xid));
        }
    }
    for update in updates {
        let reply = MultipartReply::Monitor(vec![update]);
        connection.send(Xid(0), &Message::MultipartReply { reply, more: false });
    }
}
