//! Doubly linked lists over entry numbers, all in one array: an entry is in exactly one list, and leaves it in O(1).

use bytemuck::{Pod, Zeroable};
use std::io;

use crate::memory::Records;
use crate::prefetch::Prefetch;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Node {
    next: u32,
    previous: u32,
}

/// Lists of entries `0..entries`; the heads are nodes behind them, so an empty list needs no special case.
pub(crate) struct Lists {
    nodes: Records<Node>,
    entries: u32,
}

impl Lists {
    pub(crate) fn new(entries: u32, lists: u32) -> io::Result<Self> {
        let total = entries.checked_add(lists).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut nodes = Records::<Node>::new(total as usize)?;
        for index in 0..total {
            if let Some(node) = nodes.get_mut(index) {
                *node = Node { next: index, previous: index };
            }
        }
        Ok(Self { nodes, entries })
    }

    fn node(&self, index: u32) -> Node {
        self.nodes.get(index).copied().unwrap_or(Node { next: index, previous: index })
    }

    fn link(&mut self, left: u32, right: u32) {
        if let Some(node) = self.nodes.get_mut(left) {
            node.next = right;
        }
        if let Some(node) = self.nodes.get_mut(right) {
            node.previous = left;
        }
    }

    /// Puts an entry that is in no list at the end of `list`.
    pub(crate) fn push_back(&mut self, list: u32, entry: u32) {
        let head = self.entries + list;
        let last = self.node(head).previous;
        self.link(last, entry);
        self.link(entry, head);
    }

    /// Puts an entry that is in no list at the start of `list`.
    pub(crate) fn push_front(&mut self, list: u32, entry: u32) {
        let head = self.entries + list;
        let first = self.node(head).next;
        self.link(entry, first);
        self.link(head, entry);
    }

    /// Takes an entry out of whatever list it is in.
    pub(crate) fn remove(&mut self, entry: u32) {
        let node = self.node(entry);
        self.link(node.previous, node.next);
        self.link(entry, entry);
    }

    /// The first entry of `list`.
    pub(crate) fn front(&self, list: u32) -> Option<u32> {
        let first = self.node(self.entries + list).next;
        (first < self.entries).then_some(first)
    }

    /// The entry behind `entry` in its list.
    pub(crate) fn after(&self, entry: u32) -> Option<u32> {
        let next = self.node(entry).next;
        (next < self.entries).then_some(next)
    }

    /// Starts loading an entry's links.
    #[inline]
    pub(crate) fn prefetch<P: Prefetch>(&self, entry: u32) {
        if let Some(node) = self.nodes.get(entry) {
            P::read(node);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lists: &Lists, list: u32) -> Vec<u32> {
        std::iter::successors(lists.front(list), |entry| lists.after(*entry)).collect()
    }

    #[test]
    fn entries_move_between_lists_in_order() {
        let mut lists = Lists::new(5, 2).unwrap();
        assert_eq!(lists.front(0), None);
        for entry in 0..5 {
            lists.push_back(0, entry);
        }
        lists.remove(2);
        lists.push_back(1, 2);
        lists.remove(0);
        lists.push_back(1, 0);
        assert_eq!((all(&lists, 0), all(&lists, 1)), (vec![1, 3, 4], vec![2, 0]));
    }
}
