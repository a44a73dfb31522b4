// A held post, by the link of the team's mail: shows it, and releases or rejects it.
"use strict";

const element = (id) => document.getElementById(id);
const chinese = document.documentElement.lang.startsWith("zh");
const say = (english, translated) => (chinese ? translated : english);
const token = new URLSearchParams(location.hash.slice(1)).get("held");

const make = (tag, textContent, parent) => parent.appendChild(Object.assign(document.createElement(tag), { textContent }));

const tell = (text, role) => {
  element("message").setAttribute("role", role);
  element("message").textContent = text;
};

async function asked(path, more) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "accept-language": document.documentElement.lang },
    body: JSON.stringify({ token, ...more }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? body.title);
  return body.data;
}

/** Does something with the post, and shows how it is then. */
async function tried(path, more = {}) {
  for (const button of element("choices").children) button.disabled = true;
  try {
    show(await asked(path, more));
  } catch (error) {
    const lost = say("The server can't be reached. Try again.", "无法连接服务器，请重试。");
    tell(error instanceof TypeError ? lost : error.message, "alert");
    for (const button of element("choices").children) button.disabled = false;
  }
}

function choice(text, more) {
  make("button", text, element("choices")).addEventListener("click", () => tried("/api/submissions/held/decision", more));
}

function show(post) {
  element("choices").replaceChildren();
  element("details").replaceChildren();
  for (const field of post.fields) {
    make("dt", field.label, element("details"));
    make("dd", field.value, element("details"));
  }
  element("details").hidden = false;
  if (post.status === "held") {
    tell(say("It failed a check, so it became no lead, and nothing was sent to the visitor.", "此提交未通过检查：没有生成线索，也没有给访客发送邮件。"), "status");
    for (const { charset, says } of post.readings) {
      choice(`${say("Release in", "放行：")} ${charset}: ${says}`, { decision: "release", charset });
    }
    choice(say("Release", "放行"), { decision: "release" });
    choice(say("Reject as spam", "按垃圾信息拒绝"), { decision: "reject" });
  } else if (post.status === "accepted") {
    tell(say("It is released, and goes on as if it had never been held.", "已放行，之后的处理与从未拦截时相同。"), "status");
  } else {
    tell(say("It is rejected as spam.", "已按垃圾信息拒绝。"), "status");
  }
}

element("title").textContent = say("A held post", "被拦截的提交");
document.title = `${element("title").textContent} · Daybook`;
tried("/api/submissions/held");
