//! Two layers of rules: headquarters' policy over every tenant, and the tenant's own.
//!
//! Each layer has rules, and a memory of hosts and flows, of its own, so that nothing that a tenant writes (a `pass` rule, a
//! threshold, a suppression, a flowbit) reaches the policy's rules. The policy is asked first, about everything that the
//! tenant's rules are asked about.

use std::sync::Arc;

use signature::{Alert, FlowState, Hosts, Inspector, Options, RuleSet};

/// Rules, and what they remember of hosts.
#[derive(Clone, Debug)]
pub struct RuleLayer {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Thresholds, bits of hosts and sets of data: of one tenant and this layer alone, on all workers together.
    pub hosts: Arc<Hosts>,
}

impl RuleLayer {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules) && Arc::ptr_eq(&self.hosts, &other.hosts)
    }
}

/// Whose rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    /// Headquarters'.
    Policy,
    /// The tenant's.
    Own,
}

impl Layer {
    /// Both, in the order in which they are asked.
    pub(crate) const BOTH: [Self; 2] = [Self::Policy, Self::Own];

    /// What alerts of a tenant that has a policy call it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Own => "tenant",
        }
    }
}

/// An alert, and whose rule has spoken.
#[derive(Clone, Copy)]
pub(super) struct Raised {
    pub(super) layer: Layer,
    pub(super) alert: Alert,
}

/// The rules of a tenant's layers on one worker, ready to be asked.
#[derive(Default)]
pub(super) struct Layers {
    policy: Option<Ready>,
    own: Option<Ready>,
}

struct Ready {
    layer: RuleLayer,
    options: Options,
    inspector: Inspector,
}

impl Layers {
    /// `before` gives what it had ready of the same rules, which then go on where they are.
    pub(super) fn new(
        policy: Option<&RuleLayer>,
        own: Option<&RuleLayer>,
        options: Options,
        before: Self,
    ) -> Self {
        // What the policy has looked at the tenant's rules are still to see.
        let first = Options { looks_first: true, ..options };
        Self {
            policy: policy.and_then(|layer| Ready::new(layer, first, before.policy)),
            own: own.and_then(|layer| Ready::new(layer, options, before.own)),
        }
    }

    /// Whether there is a policy.
    pub(super) const fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    pub(super) fn get(&self, layer: Layer) -> Option<&Inspector> {
        match layer {
            Layer::Policy => self.policy.as_ref(),
            Layer::Own => self.own.as_ref(),
        }
        .map(|ready| &ready.inspector)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, layer: Layer) -> Option<&mut Inspector> {
        match layer {
            Layer::Policy => self.policy.as_mut(),
            Layer::Own => self.own.as_mut(),
        }
        .map(|ready| &mut ready.inspector)
    }
}

impl Ready {
    fn new(layer: &RuleLayer, options: Options, before: Option<Self>) -> Option<Self> {
        if let Some(before) = before.filter(|before| before.layer.is(layer) && before.options == options) {
            return Some(before);
        }
        // Without memory for Hyperscan's scratch there are no signatures; the engine's start checks that there is.
        let inspector = Inspector::new(Arc::clone(&layer.rules), Arc::clone(&layer.hosts), options).ok()?;
        Some(Self { layer: layer.clone(), options, inspector })
    }
}

/// What each layer's rules remember of one flow.
#[derive(Debug, Default)]
pub(super) struct FlowStates {
    own: FlowState,
    /// Nothing until the policy is asked: most tenants may have none.
    policy: Option<Box<FlowState>>,
}

impl FlowStates {
    pub(super) fn get_mut(&mut self, layer: Layer) -> &mut FlowState {
        match layer {
            Layer::Policy => self.policy.get_or_insert_default(),
            Layer::Own => &mut self.own,
        }
    }

    /// Whether a rule of this layer said that the flow is only to be counted.
    pub(super) fn is_bypassed(&self, layer: Layer) -> bool {
        match layer {
            Layer::Policy => self.policy.as_deref().is_some_and(FlowState::is_bypassed),
            Layer::Own => self.own.is_bypassed(),
        }
    }

    /// Whether a rule of either layer does not want a transaction logged.
    pub(super) fn is_silenced(&self, transaction: u64) -> bool {
        self.own.is_silenced(transaction)
            || self.policy.as_deref().is_some_and(|policy| policy.is_silenced(transaction))
    }

    /// The flow has another application protocol, whose transactions are numbered anew.
    pub(super) fn forget_transactions(&mut self) {
        self.own.forget_transactions();
        if let Some(policy) = &mut self.policy {
            policy.forget_transactions();
        }
    }
}
