// The messages of a conversation as a tree: an edited question and another answer are siblings of the first.

export class Tree {
  constructor(messages) {
    this.messages = new Map();
    /** The messages with the same parent, the oldest first. */
    this.children = new Map();
    /** The child that shows, by its parent. */
    this.chosen = new Map();
    for (const message of messages) this.place(message);
  }

  place(message) {
    const parent = message.parent_message_id ?? null;
    this.messages.set(message.id, message);
    if (!this.children.has(parent)) this.children.set(parent, []);
    this.children.get(parent).push(message);
  }

  /** Adds a message, and shows it. */
  add(message) {
    if (!this.messages.has(message.id)) this.place(message);
    this.chosen.set(message.parent_message_id ?? null, message.id);
  }

  /** The branch that shows: the chosen or newest child of each message. */
  path() {
    const path = [];
    for (let parent = null; ; ) {
      const children = this.children.get(parent) ?? [];
      const chosen = children.find((child) => child.id === this.chosen.get(parent)) ?? children.at(-1);
      if (!chosen) return path;
      path.push({ message: chosen, number: children.indexOf(chosen) + 1, count: children.length });
      parent = chosen.id;
    }
  }

  /** Shows the branch with the newest message, which is the last one. */
  showNewest() {
    for (let at = [...this.messages.values()].at(-1); at; at = this.messages.get(at.parent_message_id)) {
      this.chosen.set(at.parent_message_id ?? null, at.id);
    }
  }

  /** Shows the sibling that is so many places away. */
  turn(message, by) {
    const parent = message.parent_message_id ?? null;
    const siblings = this.children.get(parent);
    const other = siblings[siblings.findIndex((one) => one.id === message.id) + by];
    if (other) this.chosen.set(parent, other.id);
  }
}
