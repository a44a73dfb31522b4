// The texts that scripts show; the others are in the page itself.

const TEXTS = {
  untitled: ["Untitled", "未命名"],
  remove: ["Delete", "删除"],
  removeAsked: ["Delete this conversation?", "删除此对话？"],
  question: ["Your message", "您的消息"],
  send: ["Send", "发送"],
  you: ["You", "您"],
  assistant: ["Assistant", "助手"],
  edit: ["Edit", "编辑"],
  cancel: ["Cancel", "取消"],
  again: ["Answer again", "重新回答"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  previous: ["Previous version", "上一版本"],
  next: ["Next version", "下一版本"],
  version: ["Version {0} of {1}", "第 {0} 版，共 {1} 版"],
  cost: ["{0} · {1} tokens · {2}", "{0} · {1} 个 token · {2}"],
  lost: ["The connection broke. Reconnecting …", "连接已断开，正在重新连接…"],
  back: ["Connected again", "已重新连接"],
  answering: ["The assistant is answering", "助手正在回答"],
  answered: ["The answer is complete", "回答完毕"],
  stopped: ["Stopped", "已停止"],
  failed: ["The answer failed: {0}", "回答失败：{0}"],
  interrupted: ["The answer was interrupted. What stands is kept.", "回答已中断，已生成的内容会保留。"],
  wrong: ["That didn't work: {0}", "操作失败：{0}"],
  addressToRegister: ["Enter your e-mail address to register.", "注册请填写邮箱。"],
  confirmAddress: ["Welcome. A mail to {0} has a link to confirm your address.", "欢迎。请点击发送到 {0} 的邮件中的链接，确认您的邮箱。"],
  empty: ["Ask something to begin.", "输入问题，开始对话。"],
};

const chinese = document.documentElement.lang.startsWith("zh");

/** A text in the page's language, with its gaps filled. */
export function word(name, ...gaps) {
  const text = TEXTS[name][chinese ? 1 : 0];
  return text.replace(/\{(\d)\}/g, (_, number) => String(gaps[Number(number)]));
}

/** An amount of US dollars, to its first two digits that aren't zero. */
export function money(amount) {
  const digits = { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumSignificantDigits: 2 };
  return new Intl.NumberFormat(document.documentElement.lang, digits).format(amount);
}
