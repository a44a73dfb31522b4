// The page that links in Daybook's e-mails open. The token is in the URL fragment (behind the #), so that no server
// and no log sees it; it is sent with the form alone.
"use strict";

// The language in the address, else the browser's.
const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language;
const chinese = asked.toLowerCase().startsWith("zh");
const say = (english, translated) => (chinese ? translated : english);

const links = {
  // The page without a link.
  forgot: {
    title: say("Forgot your password?", "忘记密码？"),
    button: say("Send a link", "发送链接"),
    done: say("If there is an account with this address, a mail with a link to choose a new password is on its way.", "如果此邮箱有账号，设置新密码的链接已发送，请查收邮件。"),
    fields: ["email"],
    path: "/api/auth/forgot-password",
    body: (_, field) => ({ email: field("email") }),
  },
  "reset-password": {
    title: say("Choose a new password", "设置新密码"),
    button: say("Change the password", "修改密码"),
    done: say("Your password has been changed and you have been signed out everywhere. Sign in with the new password.", "密码已修改，所有设备均已退出登录，请使用新密码登录。"),
    fields: ["password"],
    path: "/api/auth/reset-password",
    body: (token, field) => ({ token, password: field("password") }),
  },
  "verify-email": {
    title: say("Confirm your address", "确认邮箱"),
    button: say("Confirm", "确认"),
    done: say("Your address is confirmed.", "邮箱已确认。"),
    fields: [],
    path: "/api/auth/verify-email",
    body: (token) => ({ token }),
  },
  invite: {
    title: say("Accept the invitation", "接受邀请"),
    button: say("Join", "加入"),
    done: say("Welcome. You can sign in now, with this address and password.", "欢迎加入，您现在可以用此邮箱和密码登录。"),
    fields: ["email", "name", "password"],
    path: "/api/auth/register",
    body: (token, field) => ({
      invite_token: token,
      email: field("email"),
      password: field("password"),
      ...(field("name") && { name: field("name") }),
    }),
  },
};

const element = (id) => document.getElementById(id);
const labels = {
  email: say("Your address", "邮箱"),
  name: say("Your name", "姓名"),
  password: say("A password of at least 8 characters", "密码（至少 8 个字符）"),
};

const given = new URLSearchParams(location.hash.slice(1));
const use = Object.keys(links).find((name) => given.has(name)) ?? "forgot";
const isForm = !given.has("held");

// A held post has a page of its own.
if (given.has("held")) import("/account/held.js");

element("again").textContent = say("Ask for another link", "重新发送链接");
element("again").href = location.pathname + location.search;

const tell = (text, role) => {
  element("message").setAttribute("role", role);
  element("message").textContent = text;
};

// The page in another language has the same token.
for (const other of document.querySelectorAll("a[hreflang]")) other.hash = location.hash;
if (isForm) document.title = `${links[use].title} · Daybook`;
document.documentElement.lang = chinese ? "zh-CN" : "en";

const link = links[use];
const form = element("form");
if (isForm) element("title").textContent = link.title;
form.querySelector("button").textContent = link.button;
for (const name of Object.keys(labels)) {
  const label = element(`${name}-label`);
  label.hidden = !link.fields.includes(name);
  label.querySelector("span").textContent = labels[name];
  element(name).required = !label.hidden && name !== "name";
}
element("email").value = given.get("email") ?? "";
form.hidden = !isForm;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("", "status");
  try {
    const answer = await fetch(link.path, {
      method: "POST",
      headers: { "content-type": "application/json", "accept-language": document.documentElement.lang },
      body: JSON.stringify(link.body(given.get(use), (name) => element(name).value)),
    });
    if (answer.ok) {
      form.hidden = true;
      history.replaceState(null, "", location.pathname);
      tell(link.done, "status");
      element("end").textContent = say("There is nothing more to do here: you can close this page.", "这里的操作已完成，可以关闭此页面。");
      element("end").hidden = false;
      return;
    }
    const problem = await answer.json();
    tell(problem.detail ?? problem.title, "alert");
    // A link works once, and for a while.
    element("again").hidden = use !== "reset-password";
  } catch {
    tell(say("The server can't be reached. Try again.", "无法连接服务器，请重试。"), "alert");
  }
  button.disabled = false;
});
