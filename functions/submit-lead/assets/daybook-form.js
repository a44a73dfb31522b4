// <daybook-form> submits its form and shows errors beside the fields; without it the form is plain. Event:
// daybook:success, with its data. Classes: daybook-error, daybook-message.
if (self.customElements && self.fetch && !customElements.get('daybook-form')) {
	let first = location.href.split('#')[0];
	try {
		const css = new CSSStyleSheet(); // the page's win
		css.replaceSync(':where(.daybook-error,form+.daybook-message){color:#d32f2f}');
		document.adoptedStyleSheets.push(css);
		first = sessionStorage.daybookLanding ||= first;
	} catch { /* none */ }

	const random = () => crypto.getRandomValues(new Uint32Array(4)).join('-');
	const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
	const named = (form, ...names) => [...form.elements].filter(field => names.includes(field.name));

	const enhance = host => {
		const errors = new Map();
		let opened = performance.now(), busy, sent, key;

		const mark = (field, kind, textContent) => {
			const hint = field.getAttribute('aria-describedby') || '';
			const text = make('p', { className: 'daybook-' + kind, id: random(), textContent });
			text.setAttribute('role', 'alert');
			(field.closest('label') || field).after(text);
			field.setAttribute('aria-invalid', kind === 'error');
			field.setAttribute('aria-describedby', `${hint} ${text.id}`);
			errors.set(field, () => {
				text.remove();
				field.removeAttribute('aria-invalid');
				field.setAttribute('aria-describedby', hint);
				errors.delete(field);
			});
		};
		const clear = name => errors.forEach((undo, field) => (!name || field.name === name) && undo());

		const ready = () => {
			const form = host.querySelector('form');
			if (!form) return;
			const add = (name, value) => value && (named(form, name)[0]
				|| form.appendChild(make('input', { type: 'hidden', name, value })));
			add('landing_page', first);
			add('referrer', document.referrer);
			for (const [name, value] of new URLSearchParams(location.search)) {
				if (/^(utm_\w+|(g|fb)clid)$/.test(name)) add(name, value.slice(0, 200));
			}
			for (const zone of named(form, 'timezone')) zone.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone;
		};

		const submit = async event => {
			if (event.defaultPrevented) return;
			ready();
			const form = event.target, button = event.submitter || {}, body = new URLSearchParams();
			for (const [name, value] of new FormData(form, event.submitter)) {
				if (value.size) return; // the browser sends files
				if (!value.type) body.append(name, value);
			}
			event.preventDefault();
			if (busy) return;
			clear();
			// The same content keeps its key, so a repeat creates nothing twice.
			if (sent !== `${body}`) [sent, key] = [`${body}`, random()];
			body.append('_elapsed', Math.round(performance.now() - opened));
			const lang = (host.closest('[lang]')?.lang || navigator.language).replace(/[^\w-]/g, '');
			const say = (chinese, english) => /^zh/i.test(lang) ? chinese : english;
			const headers = { Accept: 'application/json', 'Accept-Language': lang, 'Idempotency-Key': key };

			button.disabled = busy = true;
			const reply = await fetch(form.getAttribute('action') || '', { method: 'POST', headers, body, signal: AbortSignal.timeout?.(3e4) }).catch(() => 0);
			const told = reply && await reply.json().catch(() => 0) || {};
			button.disabled = busy = false;

			if (reply.ok) {
				const event = new CustomEvent('daybook:success', { bubbles: true, cancelable: true, detail: told.data });
				if (!host.dispatchEvent(event)) return;
				const { next, next_refused: why } = told.data || {};
				if (next) return location.assign(new URL(next, reply.url));
				if (why) console.warn(why);
				mark(form, 'message', host.getAttribute('thanks') || say('谢谢，我们已收到您的信息。', 'Thank you, we have your message.'));
				return form.remove();
			}
			const rest = [];
			for (const { pointer = '', message } of told.errors || []) {
				const path = pointer.slice(1).split('/');
				const field = named(form, path[0], path.join('.'), path.join('[') + ']').filter(one => one.type !== 'hidden').pop();
				field && !errors.has(field) ? mark(field, 'error', message) : rest.push(pointer.slice(1) + say('：', ': ') + message);
			}
			const wait = reply.headers?.get('Retry-After');
			const text = !reply ? say('网络连接失败，您填写的内容仍在，请重试。', 'No connection; your text is still here. Try again.')
				: wait ? say(`请 ${wait} 秒后再试。`, `Try again in ${wait} s.`)
				: rest.join(say('；', '; ')) || !errors.size && (told.detail || say('未能提交，请稍后再试。', 'Not sent; try again later.'));
			if (text) mark(form, 'message', text);
			([...form.elements].find(field => errors.has(field)) || button).focus?.();
		};

		host.addEventListener('focusin', ready);
		host.addEventListener('input', event => clear(event.target.name));
		host.addEventListener('submit', submit);
		return ready;
	};

	customElements.define('daybook-form', class extends HTMLElement {
		connectedCallback() {
			(this.ready ||= enhance(this))();
		}
	});
}
