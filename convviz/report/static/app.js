(()=>{var x,tt,Xt,z,Pe,ge,nt,_e,st,Ne,Le,Yt,re=Symbol.for("pv"),be={},ve=[],Zt=/^m(i|n|o|s|text|space)$/,Te=Array.isArray,Ae=ve.slice,Y=Object.assign;function X(e){e&&e.parentNode&&e.remove()}function ot(e,t,n){var s,a,o,r={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?Ae.call(arguments,2):n),ae(e,r,s,a,null)}function ae(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:re,__v:a||++tt,__i:-1,__u:0};return!a&&x.vnode&&x.vnode(o),o}function ye(e){return e.children}function me(e,t){this.props=e,this.context=t,this.__g=0}function W(e,t){if(t==null)return e.__&&W(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:W(e)}function Qt(e){var t,n=e.__v,s=n.__e,a=[],o=[],r=e.__P;r&&((t=Y({constructor:re},n)).__v=n.__v+1,x.vnode&&x.vnode(t),Ie(r,t,n,e.__n,r.namespaceURI,32&n.__u?[s]:null,a,s||W(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,ut(a,t,o),n.__=n.__e=null,t.__e!=s&&at(t))}function at(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),at(e)}function Qe(e){(8&e.__g||(e.__g|=8,z.push(e),ge++))&&Pe==x.debounceRendering||((Pe=x.debounceRendering)||queueMicrotask)(rt)}function rt(){try{for(var e,t=1;z.length;)z.length>t&&z.sort(nt),e=z.shift(),t=z.length,8&e.__g&&Qt(e)}finally{(ge=z.length)&&(Pe||queueMicrotask)(rt)}}function it(e,t,n,s,a,o,r,i,c,p,u){var f,h,l,_,m,g,b=s.__k||ve,$=t.length;for(c=en(n,t,b,c,$),f=0;f<$;f++)(l=n.__k[f])!=null&&(h=~l.__i&&b[l.__i]||be,l.__i=f,g=Ie(e,l,h,a,o,r,i,c,p,u),_=l.__e,(h.ref!=l.ref||8&h.__u)&&(h.ref&&Oe(h.ref,null,l,h),l.ref&&u.push(l.ref,l.__c||_,l)),m=m||_,4&l.__u?(c=lt(l,c,e,!h.__v),h.__e&&(h.__e=null)):typeof l.type=="function"&&g!==void 0?c=g:_&&(c=_.nextSibling),l.__u&=-21);return n.__e=m,c}function en(e,t,n,s,a){var o,r,i,c,p,u,f,h,l,_=n.length,m=_,g=0,b=0,$=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=$[o]=ae(null,r):Te(r)?r=$[o]=ae(ye,{children:r}):r.constructor===re&&r.__b?r=$[o]=ae(r.type,r.props,r.key,r.ref,r.__v):$[o]=r,c=o+g,r.__=e,r.__b=e.__b+1,i=null,~(p=r.__i=tn(r,n,c,m))&&(m--,(i=n[p])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,p==c-1?g--:p==c+1?g++:p!=c&&(p>c?g--:g++,b=1)):(~p||(a>_?g--:a<_&&g++),typeof r.type!="function"&&(r.__u|=4))):$[o]=null;if(b){for(u=[],f=[],o=0;o<a;o++)if((r=$[o])&&16&r.__u){for(g=0,h=u.length;g<h;)u[l=g+h>>1]<r.__i?g=l+1:h=l;u[g]=r.__i,f[o]=g+1}for(g=u.length;o--;)f[o]&&(f[o]==g?g--:$[o].__u|=4)}if(m)for(o=0;o<_;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=W(i)),Re(i,i));return s}function lt(e,t,n,s){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=lt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=W(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!s&&n.moveBefore&&r.parentNode?n.moveBefore(r,t):n.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function tn(e,t,n,s){var a,o=e.key,r=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&r==i.type)return n;if(s>(c?1:0)){for(a=n-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=n+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function et(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function he(e,t,n,s,a){var o,r;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||et(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||et(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(r=Le[t]||(Le[t]=nn(t)),(e.__a||(e.__a={}))[t]=Ne,o=t!=(t=t.replace(st,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function nn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[_e]==null)t[_e]=Ne++;else if(t[_e]<this.__a[e])return;return n(x.event?x.event(t):t)}}}function Ie(e,t,n,s,a,o,r,i,c,p){var u,f,h,l,_,m,g,b,$,y,w,Me,Ye,fe,G,Ze,F,J,H=t.type;if(t.constructor!==re)return null;128&n.__u&&(c=32&n.__u,u=n.__c.__z)&&(t.__u|=c,f=o=[],u.nodeType==8?i=$e(u,o):o.push(u),i=o[0]||i),(u=x.__b)&&u(t);e:if(typeof H=="function"){h=r.length;try{if(b=t.props,$=(u=H.prototype)&&u.render,y=(u=H.contextType)&&s[u.__c],w=u?y?y.props.value:u.__:s,(l=n.__c)?(t.__c=l,2&l.__g&&(l.__g|=1)):($?t.__c=l=new H(b,w):(t.__c=l=new me(b,w),l.constructor=H,l.render=on),y&&y.sub(l),l.state||(l.state={}),l.__n=s,l.__g|=8,l.__h=[],l.__k=[]),$&&(l.__s||(l.__s=l.state),H.getDerivedStateFromProps&&(l.__s==l.state&&(l.__s=Y({},l.__s)),Y(l.__s,H.getDerivedStateFromProps(b,l.__s)))),_=l.props,m=l.state,l.__v=t,n.__c){if(b!==_&&$&&!H.getDerivedStateFromProps&&l.componentWillReceiveProps&&l.componentWillReceiveProps(b,w),t.__v==n.__v&&!(8&l.__g)||!(4&l.__g)&&l.shouldComponentUpdate&&l.shouldComponentUpdate(b,l.__s,w)===!1){t.__v!=n.__v&&(l.props=b,l.state=l.__s,l.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(D){D&&(D.__=t)}),ve.push.apply(l.__h,l.__k),l.__k=[],l.__h.length&&r.push(l),i=W(n);break e}l.componentWillUpdate&&l.componentWillUpdate(b,l.__s,w),$&&l.componentDidUpdate&&l.__h.push(function(){l.componentDidUpdate(_,m,g)})}else $&&!H.getDerivedStateFromProps&&l.componentWillMount&&l.componentWillMount(),$&&l.componentDidMount&&l.__h.push(l.componentDidMount);l.context=w,l.props=b,l.__P=e,l.__g&=-5,Me=x.__r,Ye=$?25:0;do l.__g&=-9,Me&&Me(t),u=l.render(l.props,l.state=l.__s,l.context);while(8&l.__g&&++Ye<25);$&&(ve.push.apply(l.__h,l.__k),l.__k=[]),l.state=l.__s,l.getChildContext&&(s=Y({},s,l.getChildContext())),$&&n.__c&&l.getSnapshotBeforeUpdate&&(g=l.getSnapshotBeforeUpdate(_,m)),fe=u&&u.type===ye&&u.key==null?u.props.children:u,b.__P&&(u=i,a=(e=b.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(D){D&&Re(D,D)}),n.__k=null),i=n.__k?W(n,0):null),i=it(e,Te(fe)?fe:[fe],t,n,s,a,o,r,i,c,p),b.__P&&(t.__e=null,i=u),t.__u&=-161,f&&f.some(X),l.__h.length&&r.push(l),1&l.__g&&(l.__g&=-4)}catch(D){if(r.length=h,t.__v=null,c||o)if(D&&D.then){if(t.__u|=128|c,o){for(~(F=o.indexOf(i||void 0))||(F=o.length);(J=o[F-1])&&J.nodeType==8;)F--;for(;F<o.length;F++)if(J=o[F])if(o[F]=null,G){if(J==Ze)break}else{if(J.nodeType!=8)break;J.data.startsWith("$s")&&(Ze=$e(G=J))}}if(!G){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;G=i}(u=$e(G=t.__c.__z||(t.__c.__z=G)))?(t.__e=G,i=u):t.__e=i,i=i&&i.nextSibling}else o&&o.some(X);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),D&&D.then||ct(t),x.__e(D,t,n)}}else i=t.__e=sn(n.__e,t,n,s,a,o,r,c,p,e);return(u=x.diffed)&&u(t),i}function $e(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function ct(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(ct))}function ut(e,t,n){for(var s=0;s<n.length;)Oe(n[s++],n[s++],n[s++]);x.__c&&x.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){x.__e(o,a.__v)}})}function sn(e,t,n,s,a,o,r,i,c,p){var u,f,h,l,_,m,g,b,$=n.props||be,y=t.props,w=t.type;if(w=="svg"?a="http://www.w3.org/2000/svg":w=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(u=0;u<o.length;u++)if((_=o[u])&&(w?_.localName==w:_.nodeType==3)){e=_,o[u]=null;break}}if(!e){if(b=p.ownerDocument||document,!w)return b.createTextNode(y);e=b.createElementNS(a,w,y.is?y:p),i&&(x.__m&&x.__m(t,o),i=!1),o=null}if(w){if(p=w=="template"&&e.content||e,o=w=="textarea"&&y.defaultValue!=null?null:o&&Ae.call(p.childNodes),!i&&o)for($={},u=0;u<e.attributes.length;u++)$[(_=e.attributes[u]).name]=_.value;for(u in $)_=$[u],u=="dangerouslySetInnerHTML"?h=_:u=="children"||u in y||u=="value"&&"defaultValue"in y||u=="checked"&&"defaultChecked"in y||he(e,u,null,_,a);for(u in y)_=y[u],u=="children"?l=_:u=="dangerouslySetInnerHTML"?f=_:u=="value"?m=_:u=="checked"?g=_:i&&typeof _!="function"||$[u]===_||he(e,u,_,$[u],a);f?(i||h&&(f.__html==h.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(h&&(e.textContent=""),(w=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&Zt.test(w))&&(a="http://www.w3.org/1999/xhtml"),it(p,Te(l)?l:[l],t,n,s,a,o,r,o?o[0]:n.__k&&W(n,0),i,c),o&&o.some(X)),i&&w!="textarea"||(u="value",w=="progress"&&m==null?e.removeAttribute(u):m==null||m===e[u]&&(w!="progress"||m)||he(e,u,m,$[u],a),u="checked",g!=null&&g!=e[u]&&he(e,u,g,$[u],a))}else $===y||i&&e.data==y||(e.data=y);return e}function Oe(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){x.__e(a,n)}}function Re(e,t,n){var s,a,o,r;if(x.unmount&&x.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||Oe(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){x.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(r=0;r<s.length;r++)s[r]&&Re(s[r],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=$e(s,o=[]))&&(s==e.__e&&o.some(X),X(a),X(s)),n||X(e.__e),e.__e=e.__c=e.__=null}function on(e,t,n){return this.constructor(e,n)}function O(e,t){var n,s,a,o;x.__&&x.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=ae(ye,{children:[e]}),a=[],o=[],Ie(t,t.__k,s||be,be,t.namespaceURI,s?null:t.firstChild?Ae.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),ut(a,t.__k,o),t.__k.props.children=null}x={__e:function(e,t,n,s){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw ge=0,e}},tt=0,Xt=function(e){return e!=null&&e.constructor===re},me.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=Y({},this.state)),typeof e=="function"&&(e=e(Y({},n),this.props)),e&&(Y(n,e),this.__v&&(t&&this.__k.push(t),Qe(this)))},me.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),Qe(this))},me.prototype.render=ye,z=[],ge=0,nt=function(e,t){return e.__v.__b-t.__v.__b},_e=Symbol(),st=/(PointerCapture)$|Capture$/i,Ne=0,Le={},Yt=0;var le,E,De,dt,je=Object.is,we=0,vt=[],Ue=[],C=x,pt=C.__b,ft=C.__r,ht=C.diffed,_t=C.__c,mt=C.unmount,$t=C.__;function Be(e,t){C.__h&&C.__h(E,e,we||t),we=0;var n=E.__H||(E.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function N(e){return we=1,an(wt,e)}function an(e,t,n){var s=Be(le++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):wt(void 0,t),function(o){var r=(s.__N||s.__)[0],i=s.t(r,o);je(r,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=E,!E.__f)){E.__f=!0;var a=E.shouldComponentUpdate;E.shouldComponentUpdate=function(o,r,i){var c=this.__H;if(!c)return!0;var p=!1,u=this.props!=o;if(c.__.some(function(h){h.__N&&(p=!0,je(h.__[0],h.__N[0])||(u=!0))}),a){var f=a.call(this,o,r,i);return p?f||u:f}return!p||u}}return s.__}function S(e,t){var n=Be(le++,3);!C.__s&&yt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,E.__H.__h.push(n))}function R(e){return we=5,q(function(){return{current:e}},[])}function q(e,t){var n=Be(le++,7);return yt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function rn(){var e;do{for(;e=Ue.shift();)try{ie(e)}catch(n){C.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=vt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(ie),t.__h.some(He),t.__h=[]}catch(n){t.__h=[],C.__e(n,e.__v)}}}while(Ue.length)}C.__b=function(e){E=null,pt&&pt(e)},C.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),$t&&$t(e,t)},C.__r=function(e){ft&&ft(e),le=0;var t=(E=e.__c).__H;t&&(De==E?E.__h=[]:(t.__h.some(ie),t.__h.some(He),le=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),De=E},C.diffed=function(e){ht&&ht(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&bt(vt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),De=E=null},C.__c=function(e,t){t.some(function(n){try{n.__h.some(ie),n.__h=n.__h.filter(function(s){return!s.__||He(s)})}catch(s){n.__h=[function(){throw s}]}}),_t&&_t(e,t)},C.unmount=function(e){mt&&mt(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,bt(Ue.push(a))}else ie(a)}catch(o){t=o}}),s.__H=void 0,t&&C.__e(t,s.__v))};var gt=typeof requestAnimationFrame=="function";function ln(e){var t,n=function(){clearTimeout(s),gt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);gt&&(t=requestAnimationFrame(n))}function bt(e){e!=1&&dt==C.requestAnimationFrame||((dt=C.requestAnimationFrame)||ln)(rn)}function ie(e){var t=E,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),E=t}function He(e){var t=E;e.__c=e.__(),E=t}function yt(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!je(n,e[s])})}function wt(e,t){return typeof t=="function"?t(e):t}var kt=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,n[t[o++]]):t[++o];r===3?s[0]=i:r===4?s[1]=Object.assign(s[1]||{},i):r===5?(s[1]=s[1]||{})[t[++o]]=i:r===6?s[1][t[++o]]+=i+"":r?(a=e.apply(i,kt(e,i,n,["",null])),s.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(i)}return s},xt=new Map;function Ct(e){var t=xt.get(this);return t||(t=new Map,xt.set(this,t)),(t=kt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,r="",i="",c=[0],p=function(h){o===1&&(h||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,h,r):o===3&&(h||r)?(c.push(3,h,r),o=2):o===2&&r==="..."&&h?c.push(4,h,0):o===2&&r&&!h?c.push(5,0,!0,r):o>=5&&((r||!h&&o===5)&&(c.push(o,0,r,a),o=6),h&&(c.push(o,h,0,a),o=6)),r=""},u=0;u<n.length;u++){u&&(o===1&&p(),p(u));for(var f=0;f<n[u].length;f++)s=n[u][f],o===1?s==="<"?(p(),c=[c],o=3):r+=s:o===4?r==="--"&&s===">"?(o=1,r=""):r=s+r[0]:i?s===i?i="":r+=s:s==='"'||s==="'"?i=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=r,r=""):s==="/"&&(o<5||n[u][f+1]===">")?(p(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):r+=s),o===3&&r==="!--"&&(o=4,c=c[0])}return p(),c})(e)),t),arguments,[])).length>1?t:t[0]}var d=Ct.bind(ot);var V=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>V.received.set(e,t);var cn=document.documentElement.dataset.root??"",M=e=>cn+e.split("/").map(encodeURIComponent).join("/");function L(e){if(!V.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=M(`data/${e}.js`);let o=()=>{V.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!V.received.has(e))return o();n(V.received.get(e)),V.received.delete(e)},document.head.append(a)});V.chunks.set(e,t)}return V.chunks.get(e)}var Q=()=>L("site");function j(e,t){let[n,s]=N({});return S(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var se=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function xe(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function v(e,{replace:t=!1}={}){let n=xe(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function ce(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function A(){let[e,t]=N(se);return S(()=>ce(()=>t(se())),[]),e}var un="input:not([type=checkbox]):not([type=radio]), textarea, select";function K(e){S(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(un))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function ue(e){let{block:t}=await Q(),n=Math.floor(e/t),s=await L(`items-${String(n).padStart(3,"0")}`);return Fe(s,e)}function Fe(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function ze({tile:e,size:t,label:n="",className:s=""}){if(!e)return d`<span class="tile missing ${s}" style=${{width:Z(t),height:Z(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:Z(t),height:Z(t),backgroundImage:`url("${M(e.atlas)}")`,backgroundPosition:`-${Z(o)} -${Z(r)}`,backgroundSize:`${Z(e.columns*e.tile*a)} auto`};return d`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var ke=e=>`${M("image.html")}#id=${e}`,Z=e=>`${Math.round(e*1e3)/1e3}px`;function k(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function B(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var I=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function dn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function oe({text:e,children:t}){let[n,s]=N(!1);return d`<button type="button" class="quiet" onClick=${async()=>{await dn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function We(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function St(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var T=({error:e})=>d`<p class="problem" role="alert">${e.message}.</p>`,P=()=>{document.body.dataset.ready="true"};var pn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},fn=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function hn(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function _n(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),r=document.createElement("span");for(let p of a){let u=document.createElement("button");u.type="button",u.className="sort",u.append(...p.childNodes),p.append(u),u.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",h=p.classList.contains("number"),_=!p.hasAttribute("aria-sort")?h?"down":"up":f?"up":"down";v({[`${t}-sort`]:`${p.dataset.key}-${_}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>v({[`${t}-filter`]:o.value},{replace:!0})),r.className="note",r.setAttribute("aria-live","polite");let i=document.createElement("div");i.className="bar-of-controls",i.append(o,r),e.parentElement.before(i);let c=()=>{let p=se(),[,u,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],h=a.findIndex(g=>g.dataset.key===u);a.forEach((g,b)=>{b===h?g.setAttribute("aria-sort",f==="up"?"ascending":"descending"):g.removeAttribute("aria-sort")});let l=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let m=(h<0?s:s.map(g=>[pn(g.cells[h]),g]).sort((g,b)=>hn(g[0],b[0],f==="up"?1:-1)).map(([,g])=>g)).filter(g=>fn(g).includes(l));n.replaceChildren(...m),r.textContent=l?`${m.length} of ${s.length}`:""};c(),ce(c)}var Et=()=>document.querySelectorAll("table.sortable").forEach(_n);var ee=560,mn=7,$n=12,Mt=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function gn(e,t){return(n,s)=>{let a=null,o=mn;for(let r of e){let i=Math.max(Math.abs((r[1]+.5)*t-n),Math.abs((r[0]+.5)*t-s))-t/2;(i<o||i===o&&r[2]>a[2])&&([a,o]=[r,i])}return a}}function bn(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=ee*s;let a=e.getContext("2d"),o=getComputedStyle(e),[r,i,c]=["--right","--wrong","--line"].map(h=>o.getPropertyValue(h)),p=ee/t.length,u=n.reduce((h,l)=>Math.max(h,l[2]),1);a.scale(s,s),a.strokeStyle=c,a.beginPath(),a.moveTo(0,0),a.lineTo(ee,ee),a.stroke();let f=Math.max(p,3);for(let[h,l,_]of n)a.globalAlpha=.35+.65*Math.sqrt(_/u),a.fillStyle=h===l?r:i,a.fillRect((l+.5)*p-f/2,(h+.5)*p-f/2,f,f)}function vn(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function yn({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?d`<p class="note">No class has this name.</p>`:null;let a=(r,i)=>{let c=r.sort((p,u)=>u[2]-p[2]);return d`<div>
      <h4>${i}</h4>
      ${c.length===0&&d`<p class="note">none</p>`}
      <ul>
        ${c.slice(0,$n).map(([p,u,f])=>d`<li key=${`${p}-${u}`}>
          <a href=${Mt(e[p],e[u])}>${e[p===s?u:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(r=>r[0]!==r[1]);return d`<div class="class-confusions">
    ${a(o.filter(r=>r[0]===s),"Its images are predicted as")}
    ${a(o.filter(r=>r[1]===s),"Predicted so, but labelled")}
  </div>`}function wn({name:e}){let[t,n]=j(()=>L(e),[e]),s=R(),[a,o]=N(null),{confusions:r}=A();if(S(()=>{if(!t)return;let _=()=>bn(s.current,t.names,t.cells),m=window.matchMedia("(prefers-color-scheme: dark)");return _(),m.addEventListener("change",_),()=>m.removeEventListener("change",_)},[t]),n)return d`<${T} error=${n} />`;if(!t)return d`<p class="note">The matrix is loading …</p>`;let{names:i,cells:c}=t,p=gn(c,ee/i.length),u=r??i[vn(i,c)],f=_=>{let m=s.current.getBoundingClientRect();return p((_.clientX-m.left)/m.width*ee,(_.clientY-m.top)/m.height*ee)},h=_=>{let m=f(_);m&&(location.href=Mt(i[m[0]],i[m[1]]))},l=a?`${i[a[0]]}, predicted as ${i[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it, click it to see its images.";return d`<h3>All ${i.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${_=>o(f(_))} onPointerLeave=${()=>o(null)} onClick=${h}></canvas>
        <figcaption>${l}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${u}
            onInput=${_=>v({confusions:_.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${i.map(_=>d`<option value=${_} />`)}</datalist>
        <${yn} names=${i} cells=${c} name=${u} />
      </div>
    </div>`}function Pt(){Et();let e=document.getElementById("full-matrix");e&&O(d`<${wn} name=${e.dataset.chunk} />`,e),P()}var de=254,xn=255,Lt="convviz-maps",qe=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function kn(){try{return JSON.parse(localStorage.getItem(Lt))??{}}catch{return{}}}function Cn(e){try{localStorage.setItem(Lt,JSON.stringify(e))}catch{}}var Nt=(e,t)=>t===xn?null:e.low+t/de*(e.high-e.low);function Sn(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let r=0;r<t.length;r++){let i=Nt(e,t[r]);if(i===null)continue;let c=Math.min(1,Math.max(0,(i-s)/(a-s||1))),p=3*Math.round(c*de);o.data.set([n[p],n[p+1],n[p+2],255],4*r)}return o}function En({palette:e,range:t,unit:n,isSigned:s}){let a=R();S(()=>{let c=a.current.getContext("2d"),p=new ImageData(de+1,1);for(let u=0;u<=de;u++)p.data.set([...e.subarray(3*u,3*u+3),255],4*u);c.putImageData(p,0,0)},[e]);let[o,r]=t,i=s?`red: ${n||"value"} above zero, blue: below zero`:`bright: high ${n||"value"}`;return d`<div class="colour-bar">
    <canvas ref=${a} width=${de+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${k(o)}</span>${s&&d`<span>0</span>`}<span>${k(r)}</span></span>
    <span class="muted small">${i}</span>
  </div>`}function Mn({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:r,isBare:i}){let c=R(),p=q(()=>e.values&&qe(e.values),[e]);S(()=>{p&&c.current.getContext("2d").putImageData(Sn(e,p,n,s),0,0)},[p,n,s[0],s[1]]);let u=i?0:e.view&&!e.picture?a.opacity:1,f=_=>{let m=_.currentTarget.getBoundingClientRect();r([(_.clientX-m.left)/m.width,(_.clientY-m.top)/m.height])},h="";if(o&&p){let _=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),m=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),g=Nt(e,p[m*e.width+_]);h=g===null?"no value":k(g)}let l=a.smooth?"":"crisp";return d`<div class="map-panel" onPointerMove=${f} onPointerLeave=${()=>r(null)}>
    ${e.view&&d`<img src=${M(e.view)} alt="" draggable=${!1} />`}
    ${e.picture?d`<img class=${`over ${l}`} src=${M(e.picture)} style=${{opacity:u}} alt=${t} />`:d`<canvas ref=${c} class=${`over ${l}`} width=${e.width} height=${e.height} style=${{opacity:u}}
          role="img" aria-label=${t}></canvas>`}
    ${o&&d`<span class="cross" style=${{left:`${100*o[0]}%`,top:`${100*o[1]}%`}}></span>`}
    <output class="reading">${h}</output>
  </div>`}function Pn(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function Ln({chunk:e}){let[t,n]=N({opacity:.65,smooth:!0,shared:!1,...kn()}),[s,a]=N(null),[o,r]=N(!1),i=q(()=>({signed:qe(e.palettes.signed),plain:qe(e.palettes.plain)}),[e]),c=l=>{let _={...t,...l};n(_),Cn(_)};S(()=>{let l=_=>{_.key!==" "||_.target.closest?.("input, button, select, a, textarea")||(_.preventDefault(),r(_.type==="keydown"))};return document.addEventListener("keydown",l),document.addEventListener("keyup",l),()=>{document.removeEventListener("keydown",l),document.removeEventListener("keyup",l)}},[]);let p=[...new Set(e.panels.map(l=>l.target))],{only:u}=A(),f=e.columns.map((l,_)=>({...l,place:_})).filter(l=>u===void 0||l.name===u),h=f.length?f:e.columns.map((l,_)=>({...l,place:_}));return d`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${l=>c({opacity:Number(l.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${l=>c({smooth:l.target.checked})} /> smooth</label>
      ${p.length>1&&d`<label class="field"><input type="checkbox" checked=${t.shared}
        onChange=${l=>c({shared:l.target.checked})} /> one scale for all targets</label>`}
      ${e.columns.length>1&&d`<label class="field">Explainer
        <select value=${u??""} onChange=${l=>v({only:l.target.value},{replace:!0})}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:l})=>l))].map(l=>d`<option value=${l}>${l}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${h.map(l=>d`<th scope="col" key=${l.place}>
          ${l.name}${l.layer&&d` <span class="muted">${l.layer}</span>`}</th>`)}</tr></thead>
        <tbody>${p.map(l=>d`<tr key=${l}>
          <th scope="row">${l}</th>
          ${h.map(_=>d`<td key=${_.place}>
            ${e.panels.filter(m=>m.target===l&&m.column===_.place).map(m=>{let g=m.signed?i.signed:i.plain,b=Pn(e.panels,m,t.shared);return d`<div class="map-cell">
                <${Mn} panel=${m} palette=${g} range=${b} choices=${t} cross=${s} setCross=${a}
                  isBare=${o} title=${`${_.name} for ${l}`} />
                ${m.values?d`<${En} palette=${g} range=${b} unit=${_.unit} isSigned=${m.signed} />`:d`<span class="muted small">Mid-grey is zero; colours are the channels of ${_.unit||"the map"}.</span>`}
                ${m.note&&d`<span class="muted small">${m.note}</span>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    ${h.map(l=>d`<details key=${l.place} class="small">
      <summary>${l.name}${l.layer&&` ${l.layer}`}: parameters and notes</summary>
      ${l.notes.map(_=>d`<p class="note">${_}</p>`)}
      <dl class="facts">${Object.entries(l.parameters).map(([_,m])=>d`<div key=${_}>
        <dt>${_}</dt><dd class="plain">${m}</dd></div>`)}</dl>
    </details>`)}`}function Tt({name:e}){let[t,n]=j(async()=>e?L(e):null,[e]);return e?d`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&d`<${T} error=${n} />`}
    ${t&&d`<${Ln} key=${e} chunk=${t} />`}
  </section>`:null}function U(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var te=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var Nn=64,Ve=e=>Math.max(...e.size)<=Nn?"crisp":"";function Ce({item:e,size:t}){return e?e.preview?d`<img class="square ${Ve(e)}" src=${M(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:d`<${ze} tile=${e.thumb} size=${t} />`:d`<${ze} size=${t} />`}function At({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],r=n/Math.max(o[2]-o[0],o[3]-o[1]),i={width:`${a*r}px`,height:`${s*r}px`,left:`${n/2-(o[0]+o[2])/2*r}px`,top:`${n/2-(o[1]+o[3])/2*r}px`};return d`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${r>3?"crisp":""} src=${M(e.preview)} alt="" style=${i} /></span>`}var Se=e=>`images.html#${new URLSearchParams(e)}`;function Tn({item:e}){return e.preview?d`<img class="photo-large ${Ve(e)}" src=${M(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:d`<p class="photo-missing">The photo is not part of this report.</p>`}function An({item:e}){return e.correct===!0?d`<span class="badge good">✓ predicted right</span>`:e.correct===!1?d`<span class="badge bad">✗ predicted wrong</span>`:null}function In({site:e,item:t,predictions:n,index:s}){let a=U(e,t),o=n.names[s],r=n.rank?.[s]??-1,i=o.some(p=>a.includes(p)),c=n.label_probability?.[s];return d`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,u)=>{let f=n.probabilities[s][u];return d`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${Se({predicted:p})}>${p}</a>
            ${a.includes(p)&&d` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${B(f)}</td>
        </tr>`})}
      ${!i&&r>=0&&d`<tr class="is-label">
        <th scope="row"><a href=${Se({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${r+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(c??0)}%`}}></span></span></td>
        <td class="number">${B(c)}</td>
      </tr>`}
    </tbody>
  </table>`}function It({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let r=U(e,t),i=s.map((c,p)=>[c,a[p]]).filter(([c])=>c>=0);return d`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${i.map(([c,p])=>d`<${On} key=${c} site=${e} row=${c} distance=${p}
        unit=${o} labels=${r} />`)}
    </ol>
  </div>`}function On({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=j(()=>ue(t),[t]),r=o?U(e,o):[],i=a.length>0&&r[0]===a[0];return d`<li>
    <a class="image-item small" href=${ke(t)}>
      <${Ce} item=${o} size=${88} />
      <span class="line">${r[0]??o?.name??""}${i&&d` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${k(n)}</span>
    </a>
  </li>`}function Rn({site:e,item:t,neighbors:n,index:s}){let a=e.layers.filter(p=>n[p.slug]),o=A();if(a.length===0)return null;let r=a.find(({slug:p})=>p===o.near)??a.at(-1),i=n[r.slug],c=i.items[s].every(p=>p<0);return d`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&d`<label class="field">Features of
        <select value=${r.slug} onChange=${p=>v({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:u})=>d`<option value=${p}>${u}</option>`)}
        </select></label>`}
    </div>
    ${c?d`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:d`<${It} site=${e} item=${t} title=${`in the features of ${r.name} (${i.unit})`}
          rows=${i.items[s]} distances=${i.distances[s]} unit=${i.unit} />`}
    ${i.pixel_items&&d`<${It} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${i.pixel_items[s]} distances=${i.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function Dn({site:e,item:t,units:n,index:s}){let a=e.layers.filter(c=>n[c.slug]),o=A();if(a.length===0)return null;let r=a.find(({slug:c})=>c===o.layer)??a.at(-1),i=n[r.slug][s];return d`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&d`<label class="field">Layer
        <select value=${r.slug} onChange=${c=>v({layer:c.target.value},{replace:!0})}>
          ${a.map(({slug:c,name:p})=>d`<option value=${c}>${p} (${n[c][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${i.length===0?`This image is among the top images of no unit of ${r.name}.`:`Units of ${r.name} that have this image among their top images, the highest ranks first.`}</p>
    <ol class="unit-cards">
      ${i.map(([c,p,u,...f])=>d`<li key=${`${c}-${p}`}>
        <a href=${`${M(r.pages.layer)}#unit=${c}`}>
          <${At} item=${t} box=${f.length?f:null} size=${76} />
          <strong>unit ${c}</strong>
          <span class="muted small">rank ${p+1} · ${k(u)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function jn({site:e,row:t,block:n}){let s=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[a,o]=j(async()=>[await ue(t),await L(s),t],[t]),r=l=>{let _=t+l;_>=0&&_<e.count&&v({id:_})};if(K({ArrowLeft:()=>r(-1),ArrowRight:()=>r(1)}),S(()=>{(a||o)&&P(),a&&(document.title=`${a[0].name} – ${e.title}`)},[a,o]),o)return d`<${T} error=${o} />`;if(!a)return d`<p class="muted">Loading …</p>`;let[i,c,p]=a,u=p-c.start,f=U(e,i),h=e.layers.filter(l=>l.pages.map);return d`<div class="head">
      <h1>${i.name}</h1>
      <${An} item=${i} />
      <span class="sub">image ${I(p+1)} of ${I(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>r(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>r(1)}>next →</button>
        <${oe} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${Tn} item=${i} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${f.length?d`<a href=${Se({class:f[0]})}>${f.join(" · ")}</a>`:d`<span class="muted">none</span>`}</dd></div>
            ${i.predicted!==null&&d`<div><dt>predicted</dt><dd>
              <a href=${Se({predicted:te(e,i.predicted)})}>${te(e,i.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${i.size[1]} × ${i.size[0]}</dd></div>
          </dl>
          ${c.predictions?d`<${In} site=${e} item=${i} predictions=${c.predictions} index=${u} />`:d`<p class="note">The run has no predictions.</p>`}
          ${h.length>0&&d`<p class="links">${h.map(l=>d`<a
            href=${`${M(l.pages.map)}#id=${p}`}>Place on the map of ${l.name}</a> `)}</p>`}
        </section>
      </div>
      <${Tt} name=${c.maps?.[u]} />
      <${Rn} site=${e} item=${i} neighbors=${c.neighbors} index=${u} />
      <${Dn} site=${e} item=${i} units=${c.units} index=${u} />
    </div>`}function Un({site:e,block:t}){let{id:n}=A(),s=Number(n??0),a=Number.isInteger(s)&&s>=0&&s<e.count;return S(()=>{a||P()},[a]),a?d`<${jn} site=${e} row=${s} block=${t} />`:d`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${n}”.</p>`}async function Ot(){let e=document.getElementById("image");try{O(d`<${Un} site=${await Q()} block=${Number(e.dataset.block)} />`,e)}catch(t){O(d`<${T} error=${t} />`,e),P()}}var pe=120,Hn=new Intl.Collator(void 0,{numeric:!0}),Bn=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],Rt=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function Fn(e){let[t,n]=N([]),[s,a]=N(null),o=Math.ceil(e.count/e.block);return S(()=>{let r=!0,i=[];return(async()=>{for(let p=0;p<o;p++){let u=await L(`items-${String(p).padStart(3,"0")}`);if(!r)return;for(let f=0;f<u.names.length;f++)i.push(Fe(u,u.start+f));(p===0||p===o-1||p%16===0)&&n([...i])}})().catch(p=>r&&a(p)),()=>r=!1},[e]),[t,s]}function zn(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=U(e,s),o=te(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null)return!1;let r=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(i=>r.includes(i))}}function Wn(e,t,n){let s=(a,o=1)=>[...t].sort((r,i)=>{let[c,p]=[a(r),a(i)];return c===p?r.row-i.row:c===null||c===""?1:p===null||p===""?-1:o*(typeof c=="number"?c-p:Hn.compare(c,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>U(e,a)[0]??""):t}function qn({site:e,item:t,isCurrent:n,onFocus:s}){let a=U(e,t)[0]??"",o=te(e,t.predicted),r=t.correct===!1?"wrong":t.correct===!0?"right":"",i=r==="wrong"?`✗ ${o}`:o,c=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${B(t.probability)}`,r].filter(Boolean).join(", ");return d`<li>
    <a class="image-item ${r}" href=${`image.html#id=${t.row}`} aria-label=${c} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${Ce} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&d`<span class="line">${a}</span>`}
      ${o&&d`<span class="verdict"><span class="line">${i}</span>
        <span class="share">${B(t.probability)}</span></span>`}
    </a>
  </li>`}function Dt({name:e,title:t,options:n,value:s}){return d`<label class="field">${t}
    <select value=${s} onChange=${a=>v({[e]:a.target.value})}>
      ${n.map(([a,o])=>d`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function jt({name:e,title:t,names:n,value:s}){let a=o=>v({[e]:o.target.value},{replace:!0});return d`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>d`<option value=${o} />`)}</datalist>
  </label>`}function Vn(e,t,n,s,a){let o=t.children,r=Math.max(1,[...o].findIndex(u=>u.offsetTop>o[0].offsetTop)),i=r===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:r,c={ArrowRight:1,ArrowLeft:-1,ArrowDown:i,ArrowUp:-i}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:c?n+c:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function Kn({site:e}){let t=A(),[n,s]=Fn(e),[a,o]=N(pe),[r,i]=N(0),c=R(),p=R(),u=q(()=>Wn(e,n.filter(zn(e,t)),t.sort),[e,n,t]),f=n.some($=>$.predicted!==null),h=q(()=>[...new Set(n.map($=>te(e,$.predicted)))].filter(Boolean).sort(),[n]),l=q(()=>[...new Set(n.flatMap($=>U(e,$).slice(0,1)))].sort(),[n]);K({"/":()=>p.current.focus()}),S(()=>{o(pe),i(0)},[t]),S(()=>{n.length&&P()},[n]);let _=R();S(()=>{if(!_.current)return;let $=new IntersectionObserver(y=>y.some(w=>w.isIntersecting)&&o(w=>w+pe),{rootMargin:"400px"});return $.observe(_.current),()=>$.disconnect()},[a<u.length,a]);let m=$=>{$>=a&&o($+pe),i($);let y=()=>c.current.children[$]?.firstElementChild?.focus();$<c.current.children.length?y():requestAnimationFrame(y)};if(s)return d`<${T} error=${s} />`;let g=n.length<e.count,b=["q","class","predicted","correct"].some($=>t[$]);return d`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${$=>v({q:$.target.value},{replace:!0})} />
      </label>
      ${l.length>0&&d`<${jt} name="class" title="Label" names=${l} value=${t.class??""} />`}
      ${f&&d`<${jt} name="predicted" title="Predicted" names=${h} value=${t.predicted??""} />
        <${Dt} name="correct" title="Prediction is" options=${Bn} value=${t.correct??""} />`}
      <${Dt} name="sort" title="Order" value=${t.sort??""}
        options=${f?Rt:Rt.filter(([$])=>$!=="confidence"&&$!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${I(u.length)} ${b?`of ${I(n.length)}`:""} images${g?`; ${I(e.count-n.length)} are loading …`:""}
      ${b&&d` <a href="#" onClick=${$=>{$.preventDefault(),v({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${u.length===0&&!g&&d`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${c} onKeyDown=${$=>Vn($,c.current,r,u.length,m)}>
      ${u.slice(0,a).map(($,y)=>d`<${qn} key=${$.row} site=${e} item=${$}
        isCurrent=${y===r} onFocus=${()=>i(y)} />`)}
    </ol>
    ${a<u.length&&d`<p ref=${_}><button type="button" onClick=${()=>o(a+pe)}>
      Show more of ${I(u.length)}</button></p>`}`}async function Ut(){let e=document.getElementById("images");try{let t=await Q();O(d`<${Kn} site=${t} />`,e),t.count===0&&P()}catch(t){O(d`<${T} error=${t} />`,e),P()}}var Ke=420,Ge=130,Ee=Ge-22,Gn=6;function Ht({edges:e,counts:t}){let n=t.reduce((u,f)=>u+f,0),s=Math.log10(Math.max(...t)+1),a=Ke/t.length,o=Math.ceil(e.length/Gn),r=t.map((u,f)=>{let h=u?Math.max(1.5,(Ee-6)*Math.log10(u+1)/s):0,_=e[f]===0&&e[f+1]===0?"exactly 0":`${k(e[f])} to ${k(e[f+1])}`,m=e[f+1]>0;return d`<rect key=${f} class=${m?"fires":""} x=${f*a+.5} y=${Ee-h}
      width=${Math.max(.5,a-1)} height=${h}><title>${_}: ${I(u)} (${(100*u/n).toPrecision(2)} %)</title></rect>`}),i=e.map((u,f)=>[u,f]).filter(([,u])=>u%o===0),c=t.reduce((u,f,h)=>u+(e[h+1]>0?f:0),0),p=`${I(n)} values from ${k(e[0])} to ${k(e.at(-1))}, ${(100*c/n).toPrecision(3)} % above 0`;return d`<svg class="histogram" viewBox="0 0 ${Ke} ${Ge}" role="img" aria-label=${p}>
      ${r}
      <line x1="0" x2=${Ke} y1=${Ee+.5} y2=${Ee+.5} />
      ${i.map(([u,f])=>d`<text key=${f} x=${f*a} y=${Ge-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${k(u,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var ne=e=>`${(100*e).toFixed(3)}%`;function Bt([e,t],n){let[s,a,o,r]=n??[0,0,t,e],i=Math.max(o-s,r-a),c=(s+o-i)/2,p=(a+r-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-p/i}}var Jn=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),Je=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,ne(n)]));function Xn(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=ne((1-(e[2]-e[0])/t)/2);return`inset(${ne((1-(e[3]-e[1])/t)/2)} ${n})`}function Yn({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let c={width:ne(n.columns),height:ne(n.rows),left:ne(-n.rank),top:ne(-n.row)};return d`<img src=${M(n.atlas)} alt=${s} style=${c} />`}if(!a?.preview)return d`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return d`<span class="photo" style=${Je(Bt(a.size,null))}>
      <img class=${r} src=${M(a.preview)} alt=${s} />
      ${o&&d`<span class="box" style=${Je(Jn(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return d`<span class="window" style=${{clipPath:Xn(o)}}>
    <img class=${i} src=${M(a.preview)} alt=${s} style=${Je(Bt(a.size,o))} /></span>`}function Ft({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o}){let{image:r}=e,i=r?.label===null||r?.label===void 0?"":s.classes[r.label],c=r?.name??"",p=i||c,u=r&&s.has.images?ke(r.row):null,f=`top ${t+1}: ${p}, activation ${k(e.value)}`,h=d`<span class="frame"><${Yn} ...${{patch:e,mode:n,guided:a,alt:f}} /></span>`;return d`<figure class=${o?"":"faded"}>
    ${u?d`<a href=${u} title=${c}>${h}</a>`:d`<span title=${c}>${h}</span>`}
    <figcaption><b>${k(e.value)}</b> <span title=${p}>${p}</span>
      ${r?.correct===!1&&d`<span class="badge bad" title=${`predicted: ${s.outputs[r.predicted]??r.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var zt={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},Zn=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function Wt(e,t,n,s="units"){let o=(await L(`layer/${e}/${s}-${Zn(t,n.block)}`))[t%n.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await ue(i.row)})));return{...o,patches:r}}function qt({unit:e,units:t,data:n,layer:s,site:a,slug:o}){let r=A(),[i,c]=j(()=>Wt(o,e,n),[o,e]),p=R(null),u=t.indexOf(e),f=m=>{let g=u<0?t[0]:t[(u+m+t.length)%t.length];g!==void 0&&v({unit:g})},h=i?.unit===e,l=Object.keys(zt).filter(m=>m!=="guided"||h&&i.guided!==null&&s.guided),_=l.includes(r.view)?r.view:"crop";return K({ArrowLeft:()=>f(-1),ArrowRight:()=>f(1),w:()=>v({view:_==="whole"?null:"whole"},{replace:!0}),j:()=>p.current?.focus(),Escape:()=>v({unit:null})}),S(()=>{(h||c)&&P()},[h,c]),c?d`<${T} error=${c} />`:h?d`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${Qn} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>f(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>f(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${p} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${m=>m.key==="Enter"&&m.target.value!==""&&v({unit:Math.min(n.count-1,Math.max(0,Math.trunc(m.target.valueAsNumber)))})} />
        <${oe} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>v({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${Vt} ...${{unit:e,data:n,record:i,layer:s}} />
    <div class=${s.other?"unit-body with-other":"unit-body"}>
      <section class="card" aria-labelledby="patches-title">
        <div class="card-head">
          <h3 id="patches-title">Top patches</h3>
          ${i.patches.length>0&&d`<div class="segments" role="group" aria-label="View">
            ${l.map(m=>d`<button type="button" key=${m} aria-pressed=${String(_===m)}
              onClick=${()=>v({view:m==="crop"?null:m},{replace:!0})}>${zt[m]}</button>`)}
          </div>`}
        </div>
        <${Kt} ...${{record:i,layer:s,mode:_,site:a,state:r,data:n}} />
      </section>
      ${s.other&&d`<${os} ...${{unit:e,layer:s,site:a,slug:o,mode:_,state:r}} />`}
      <div class="stack">
        ${i.histogram&&d`<section class="card" aria-labelledby="values-title">
          <h3 id="values-title">Values at all positions of all images</h3>
          <${Ht} ...${i.histogram} />
        </section>`}
        <${ts} ...${{record:i,layer:s,site:a,state:r}} />
      </div>
    </div>
    ${i.similar.length>0&&d`<${ns} ...${{record:i,data:n,layer:s,slug:o}} />`}
    <${as} ...${{unit:e,record:i,data:n,layer:s,site:a,slug:o}} />`:d`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function Qn({unit:e,data:t}){let n=t.duplicates[e];return d`
    ${t.dead.includes(e)&&d`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&d`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&d`<a class="badge" href=${xe({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function Vt({unit:e,data:t,record:n,layer:s}){let a=r=>t.columns[r]?.[e],o=[["maximum",k(a("max")),`rank ${I(n.rank)} of ${I(t.count)}`],["mean",k(a("mean"))],["fires in",B(a("fires")),"of the images"],["active at",B(a("active")),"of the positions"],["selectivity",k(a("selectivity"),2),"0 to 1"],["prominence",k(a("prominence"),2)]].filter(([,r])=>r!=="–");return d`<dl class="facts unit-facts">
    ${o.map(([r,i,c])=>d`<div key=${r}><dt>${r}</dt>
      <dd>${i} ${c&&d`<small>${c}</small>`}</dd></div>`)}
    ${s.field&&d`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function Kt({record:e,layer:t,mode:n,site:s,state:a,data:o}){if(!t.has_patches)return d`<p class="note">The run has no patches of this layer.</p>`;if(!e.patches.length)return d`<p class="note">No image activates this unit, so it has no patches.</p>`;let r=e.patches[0].value;return d`<ol class="patches is-${n}">
    ${e.patches.map((i,c)=>d`<li key=${c}>
      <${Ft} ...${{patch:i,rank:c,mode:n,site:s,highest:r,guided:t.guided&&e.guided!==null?{...t.guided,row:e.guided,rank:c}:null,isMeant:es(i,s,a)}} />
    </li>`)}
  </ol>
  ${n==="whole"&&d`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${n==="guided"&&d`<p class="note">Guided gradients are sharp, but depend little on the weights: they show which pixels the unit can see, not why it fires.</p>`}`}function es(e,t,n){if(!n.class||!e.image||e.image.label===null)return!0;let s=t.classes[e.image.label]??"";return!t.classes.some(o=>o.toLowerCase().includes(n.class.toLowerCase()))||s.toLowerCase().includes(n.class.toLowerCase())}function ts({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return d`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return d`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let r=n.classes[o.class]??String(o.class),i=s.class===r;return d`<li key=${o.class}>
          <button type="button" aria-pressed=${String(i)} onClick=${()=>v({class:i?null:r})}>
            <span class="bar-name">${r}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${k(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function ns({record:e,data:t,layer:n,slug:s}){let a=e.patches.length;return d`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units, by common top images</h3>
    <ul class="similar">
      ${e.similar.map(({unit:o,shared:r})=>d`<li key=${o}><a href=${xe({unit:o})}>
        <${ss} ...${{unit:o,layer:n,slug:s}} /><b>${o}</b> <span>${r} of ${a}</span></a></li>`)}
    </ul>
  </section>`}function ss({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile ${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return d`<span class=${o}></span>`}function os({unit:e,layer:t,site:n,slug:s,mode:a,state:o}){let{other:r}=t,[i,c]=j(async()=>{if(e>=r.count)return null;let p=await L(`layer/${s}/other`);return{data:p,record:await Wt(s,e,p,"other")}},[e]);return c?d`<${T} error=${c} />`:i===void 0?null:d`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${r.run} (${r.model})</h3></div>
    ${i===null?d`<p class="note">This run has no such unit.</p>`:d`
      <${Kt} ...${{record:{...i.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:n,state:o}} />
      <${Vt} ...${{unit:e,data:i.data,record:i.record,layer:{field:""}}} />`}
  </section>`}function as({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let r=`${s.shell} ${/^[\w.\-/]+$/.test(s.name)?s.name:`'${s.name.replaceAll("'","'\\''")}'`} --unit ${e}`,i=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,c=t.patches.map((l,_)=>[_+1,l.value,l.image?.name,l.image?.label===null?"":a.classes[l.image?.label],...l.position??["",""],...l.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],u=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([l,_])=>[l,_[e]])),h=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return d`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>We(`${u}.csv`,St(p,c),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>We(`${u}.json`,h(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${r}</code><${oe} text=${r}>Copy<//>
      <code>${i}</code><${oe} text=${i}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([l,_])=>d`<div key=${l}><dt>${l}</dt>
        <dd class="plain">${l==="weights"?d`<code>${_.slice(0,16)}</code>`:_}</dd></div>`)}
    </dl>
  </section>`}var rs={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"};function is(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),r={all:()=>!0,alive:h=>!s.has(h),dead:h=>s.has(h),silent:h=>a.has(h),twins:h=>o.has(h)}[n.show]??(()=>!0),i=(n.class??"").trim().toLowerCase(),c=new Set;i&&t.classes.forEach((h,l)=>h.toLowerCase().includes(i)&&c.add(l));let p=h=>!i||String(h)===i||(e.classes[h]??[]).some(l=>c.has(l)),u=[...Array(e.count).keys()].filter(h=>r(h)&&p(h)),f=e.columns[n.sort];return f?u.sort((h,l)=>(f[l]??-1/0)-(f[h]??-1/0)||h-l):u}var Xe=class{constructor(t,n,s){this.list=t,this.data=n,this.dead=new Set(s),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`undefined ${[...this.tiles.keys()].join()}`}show(t,n){let s=`${n} ${t.join()}`;if(s===this.key)return;this.key=s;let a=this.data.columns[n]??this.data.columns.max;for(let o of t){let r=n&&n!=="unit"?k(a[o]):this.textOf(o);this.tiles.get(o).firstElementChild.lastElementChild.textContent=r}this.list.replaceChildren(...t.map(o=>this.tiles.get(o)))}textOf(t){return this.dead.has(t)?"dead":k(this.data.columns.max[t])}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");let n=this.tiles.get(t)?.firstElementChild;if(!n)return;n.setAttribute("aria-current","true");let[s,a]=[n.getBoundingClientRect(),this.list.getBoundingClientRect()];(s.top<a.top||s.bottom>a.bottom)&&(this.list.scrollTop+=(s.top+s.bottom-a.top-a.bottom)/2)}};function ls({data:e,sorts:t,site:n,units:s,counts:a}){let o=A(),r=R(null);K({"/":()=>r.current?.focus()});let i=Object.entries(rs).filter(([c])=>c==="all"||a[c]);return d`
    <label class="field">Sort by
      <select id="sort" value=${o.sort??"unit"}
        onChange=${c=>v({sort:c.target.value==="unit"?null:c.target.value})}>
        ${Object.entries(t).map(([c,p])=>d`<option key=${c} value=${c}>${p}</option>`)}
      </select>
    </label>
    ${i.length>1&&d`<label class="field">Show
      <select id="show" value=${o.show??"all"}
        onChange=${c=>v({show:c.target.value==="all"?null:c.target.value})}>
        ${i.map(([c,p])=>d`<option key=${c} value=${c}>${p}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${r} value=${o.class??""} list="class-names"
        placeholder=${n.classes.length?"class or number":"number"}
        onInput=${c=>v({class:c.target.value},{replace:!0})} />
    </label>
    <datalist id="class-names">
      ${a.classes.map(c=>d`<option key=${c} value=${n.classes[c]}></option>`)}
    </datalist>
    <span class="muted small" role="status">${s.length===e.count?"":`${s.length} of ${e.count} units`}</span>`}async function Gt(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,r;try{[a,o,r]=await Promise.all([Q(),L(`layer/${s}/units`),L(`layer/${s}/layer`)])}catch(f){return O(d`<${T} error=${f} />`,t),P()}let i=new Xe(document.getElementById("sheet"),o,o.dead),c={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:[...new Set(o.classes.flat())].sort((f,h)=>a.classes[f]<a.classes[h]?-1:1)},p=JSON.parse(t.dataset.sorts),u=()=>{let f=se(),h=is(o,a,f),l=/^\d+$/.test(f.unit??"")&&Number(f.unit)<o.count?Number(f.unit):null;i.show(h,f.sort),e.classList.toggle("split",l!==null),n.hidden=l===null,i.mark(l),O(d`<${ls} ...${{data:o,sorts:p,site:a,units:h,counts:c}} />`,t),O(l===null?null:d`<${qt} ...${{unit:l,units:h,data:o,layer:r,site:a,slug:s}} />`,n),l===null&&P()};i.list.addEventListener("click",f=>{let h=f.target.closest("a[data-unit]");!h||f.ctrlKey||f.metaKey||f.shiftKey||(f.preventDefault(),v({unit:h.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),ce(u),u()}var cs={dataset:Pt,image:Ot,images:Ut,layer:Gt},Jt=cs[document.body.dataset.page];Jt?Jt():P();})();
