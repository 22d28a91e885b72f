//! Doubly linked queues whose nodes lie in one arena, for the simulators.

/// Names a node of an [`Arena`].
pub(crate) type NodeId = u32;

const NONE: NodeId = NodeId::MAX;

/// An entry or a ghost of one.
pub(crate) struct Node {
    pub(crate) key: u64,
    pub(crate) weight: u64,
    /// For the policy: a reference bit, a count.
    pub(crate) mark: u32,
    /// For the policy: which queue.
    pub(crate) place: u8,
    prev: NodeId,
    next: NodeId,
}

/// Where the nodes of a simulator's queues lie.
#[derive(Default)]
pub(crate) struct Arena {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
}

/// First in at the front.
pub(crate) struct Queue {
    front: NodeId,
    back: NodeId,
    pub(crate) weight: u64,
    pub(crate) length: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            front: NONE,
            back: NONE,
            weight: 0,
            length: 0,
        }
    }
}

impl Queue {
    pub(crate) fn front(&self) -> Option<NodeId> {
        (self.front != NONE).then_some(self.front)
    }
}

impl Arena {
    /// A new node that is in no queue.
    pub(crate) fn make(&mut self, key: u64, weight: u64) -> NodeId {
        let node = Node {
            key,
            weight,
            mark: 0,
            place: 0,
            prev: NONE,
            next: NONE,
        };
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            return id;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as NodeId
    }

    /// Gives a node back that is in no queue; returns its key.
    pub(crate) fn free(&mut self, id: NodeId) -> u64 {
        self.free.push(id);
        self.nodes[id as usize].key
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    /// The node behind another, towards the back.
    pub(crate) fn next(&self, id: NodeId) -> Option<NodeId> {
        let next = self.nodes[id as usize].next;
        (next != NONE).then_some(next)
    }

    pub(crate) fn push_back(&mut self, queue: &mut Queue, id: NodeId) {
        let last = queue.back;
        let node = &mut self.nodes[id as usize];
        (node.prev, node.next) = (last, NONE);
        queue.weight += node.weight;
        queue.length += 1;
        queue.back = id;
        if last == NONE {
            queue.front = id;
        } else {
            self.nodes[last as usize].next = id;
        }
    }

    pub(crate) fn unlink(&mut self, queue: &mut Queue, id: NodeId) {
        let node = &self.nodes[id as usize];
        let (prev, next) = (node.prev, node.next);
        queue.weight -= node.weight;
        queue.length -= 1;
        if prev == NONE {
            queue.front = next;
        } else {
            self.nodes[prev as usize].next = next;
        }
        if next == NONE {
            queue.back = prev;
        } else {
            self.nodes[next as usize].prev = prev;
        }
    }

    pub(crate) fn pop_front(&mut self, queue: &mut Queue) -> Option<NodeId> {
        let id = queue.front()?;
        self.unlink(queue, id);
        Some(id)
    }
}
