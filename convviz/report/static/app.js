(()=>{var S,pt,fn,Y,He,Se,ft,xe,ht,Fe,Ue,hn,fe=Symbol.for("pv"),Me={},Ee=[],mn=/^m(i|n|o|s|text|space)$/,We=Array.isArray,ze=Ee.slice,oe=Object.assign;function se(e){e&&e.parentNode&&e.remove()}function mt(e,t,n){var s,a,o,r={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?ze.call(arguments,2):n),pe(e,r,s,a,null)}function pe(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:fe,__v:a||++pt,__i:-1,__u:0};return!a&&S.vnode&&S.vnode(o),o}function Pe(e){return e.children}function ke(e,t){this.props=e,this.context=t,this.__g=0}function Q(e,t){if(t==null)return e.__&&Q(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:Q(e)}function $n(e){var t,n=e.__v,s=n.__e,a=[],o=[],r=e.__P;r&&((t=oe({constructor:fe},n)).__v=n.__v+1,S.vnode&&S.vnode(t),qe(r,t,n,e.__n,r.namespaceURI,32&n.__u?[s]:null,a,s||Q(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,vt(a,t,o),n.__=n.__e=null,t.__e!=s&&$t(t))}function $t(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),$t(e)}function ut(e){(8&e.__g||(e.__g|=8,Y.push(e),Se++))&&He==S.debounceRendering||((He=S.debounceRendering)||queueMicrotask)(_t)}function _t(){try{for(var e,t=1;Y.length;)Y.length>t&&Y.sort(ft),e=Y.shift(),t=Y.length,8&e.__g&&$n(e)}finally{(Se=Y.length)&&(He||queueMicrotask)(_t)}}function gt(e,t,n,s,a,o,r,i,l,p,d){var f,m,c,h,$,_,y=s.__k||Ee,g=t.length;for(l=_n(n,t,y,l,g),f=0;f<g;f++)(c=n.__k[f])!=null&&(m=~c.__i&&y[c.__i]||Me,c.__i=f,_=qe(e,c,m,a,o,r,i,l,p,d),h=c.__e,(m.ref!=c.ref||8&m.__u)&&(m.ref&&Ke(m.ref,null,c,m),c.ref&&d.push(c.ref,c.__c||h,c)),$=$||h,4&c.__u?(l=bt(c,l,e,!m.__v),m.__e&&(m.__e=null)):typeof c.type=="function"&&_!==void 0?l=_:h&&(l=h.nextSibling),c.__u&=-21);return n.__e=$,l}function _n(e,t,n,s,a){var o,r,i,l,p,d,f,m,c,h=n.length,$=h,_=0,y=0,g=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=g[o]=pe(null,r):We(r)?r=g[o]=pe(Pe,{children:r}):r.constructor===fe&&r.__b?r=g[o]=pe(r.type,r.props,r.key,r.ref,r.__v):g[o]=r,l=o+_,r.__=e,r.__b=e.__b+1,i=null,~(p=r.__i=gn(r,n,l,$))&&($--,(i=n[p])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,p==l-1?_--:p==l+1?_++:p!=l&&(p>l?_--:_++,y=1)):(~p||(a>h?_--:a<h&&_++),typeof r.type!="function"&&(r.__u|=4))):g[o]=null;if(y){for(d=[],f=[],o=0;o<a;o++)if((r=g[o])&&16&r.__u){for(_=0,m=d.length;_<m;)d[c=_+m>>1]<r.__i?_=c+1:m=c;d[_]=r.__i,f[o]=_+1}for(_=d.length;o--;)f[o]&&(f[o]==_?_--:g[o].__u|=4)}if($)for(o=0;o<h;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=Q(i)),Ve(i,i));return s}function bt(e,t,n,s){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=bt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=Q(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!s&&n.moveBefore&&r.parentNode?n.moveBefore(r,t):n.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function gn(e,t,n,s){var a,o=e.key,r=e.type,i=t[n],l=i&&!(2&i.__u);if(i===null&&o==null||l&&o==i.key&&r==i.type)return n;if(s>(l?1:0)){for(a=n-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=n+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function dt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function we(e,t,n,s,a){var o,r;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||dt(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||dt(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(r=Ue[t]||(Ue[t]=bn(t)),(e.__a||(e.__a={}))[t]=Fe,o=t!=(t=t.replace(ht,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function bn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[xe]==null)t[xe]=Fe++;else if(t[xe]<this.__a[e])return;return n(S.event?S.event(t):t)}}}function qe(e,t,n,s,a,o,r,i,l,p){var d,f,m,c,h,$,_,y,g,v,x,b,w,O,E,D,z,V,X=t.type;if(t.constructor!==fe)return null;128&n.__u&&(l=32&n.__u,d=n.__c.__z)&&(t.__u|=l,f=o=[],d.nodeType==8?i=Ce(d,o):o.push(d),i=o[0]||i),(d=S.__b)&&d(t);e:if(typeof X=="function"){m=r.length;try{if(y=t.props,g=(d=X.prototype)&&d.render,v=(d=X.contextType)&&s[d.__c],x=d?v?v.props.value:d.__:s,(c=n.__c)?(t.__c=c,2&c.__g&&(c.__g|=1)):(g?t.__c=c=new X(y,x):(t.__c=c=new ke(y,x),c.constructor=X,c.render=vn),v&&v.sub(c),c.state||(c.state={}),c.__n=s,c.__g|=8,c.__h=[],c.__k=[]),g&&(c.__s||(c.__s=c.state),X.getDerivedStateFromProps&&(c.__s==c.state&&(c.__s=oe({},c.__s)),oe(c.__s,X.getDerivedStateFromProps(y,c.__s)))),h=c.props,$=c.state,c.__v=t,n.__c){if(y!==h&&g&&!X.getDerivedStateFromProps&&c.componentWillReceiveProps&&c.componentWillReceiveProps(y,x),t.__v==n.__v&&!(8&c.__g)||!(4&c.__g)&&c.shouldComponentUpdate&&c.shouldComponentUpdate(y,c.__s,x)===!1){t.__v!=n.__v&&(c.props=y,c.state=c.__s,c.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(F){F&&(F.__=t)}),Ee.push.apply(c.__h,c.__k),c.__k=[],c.__h.length&&r.push(c),i=Q(n);break e}c.componentWillUpdate&&c.componentWillUpdate(y,c.__s,x),g&&c.componentDidUpdate&&c.__h.push(function(){c.componentDidUpdate(h,$,_)})}else g&&!X.getDerivedStateFromProps&&c.componentWillMount&&c.componentWillMount(),g&&c.componentDidMount&&c.__h.push(c.componentDidMount);c.context=x,c.props=y,c.__P=e,c.__g&=-5,b=S.__r,w=g?25:0;do c.__g&=-9,b&&b(t),d=c.render(c.props,c.state=c.__s,c.context);while(8&c.__g&&++w<25);g&&(Ee.push.apply(c.__h,c.__k),c.__k=[]),c.state=c.__s,c.getChildContext&&(s=oe({},s,c.getChildContext())),g&&n.__c&&c.getSnapshotBeforeUpdate&&(_=c.getSnapshotBeforeUpdate(h,$)),O=d&&d.type===Pe&&d.key==null?d.props.children:d,y.__P&&(d=i,a=(e=y.__P).namespaceURI,l=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(F){F&&Ve(F,F)}),n.__k=null),i=n.__k?Q(n,0):null),i=gt(e,We(O)?O:[O],t,n,s,a,o,r,i,l,p),y.__P&&(t.__e=null,i=d),t.__u&=-161,f&&f.some(se),c.__h.length&&r.push(c),1&c.__g&&(c.__g&=-4)}catch(F){if(r.length=m,t.__v=null,l||o)if(F&&F.then){if(t.__u|=128|l,o){for(~(z=o.indexOf(i||void 0))||(z=o.length);(V=o[z-1])&&V.nodeType==8;)z--;for(;z<o.length;z++)if(V=o[z])if(o[z]=null,E){if(V==D)break}else{if(V.nodeType!=8)break;V.data.startsWith("$s")&&(D=Ce(E=V))}}if(!E){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;E=i}(d=Ce(E=t.__c.__z||(t.__c.__z=E)))?(t.__e=E,i=d):t.__e=i,i=i&&i.nextSibling}else o&&o.some(se);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),F&&F.then||yt(t),S.__e(F,t,n)}}else i=t.__e=yn(n.__e,t,n,s,a,o,r,l,p,e);return(d=S.diffed)&&d(t),i}function Ce(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function yt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(yt))}function vt(e,t,n){for(var s=0;s<n.length;)Ke(n[s++],n[s++],n[s++]);S.__c&&S.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){S.__e(o,a.__v)}})}function yn(e,t,n,s,a,o,r,i,l,p){var d,f,m,c,h,$,_,y,g=n.props||Me,v=t.props,x=t.type;if(x=="svg"?a="http://www.w3.org/2000/svg":x=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(d=0;d<o.length;d++)if((h=o[d])&&(x?h.localName==x:h.nodeType==3)){e=h,o[d]=null;break}}if(!e){if(y=p.ownerDocument||document,!x)return y.createTextNode(v);e=y.createElementNS(a,x,v.is?v:p),i&&(S.__m&&S.__m(t,o),i=!1),o=null}if(x){if(p=x=="template"&&e.content||e,o=x=="textarea"&&v.defaultValue!=null?null:o&&ze.call(p.childNodes),!i&&o)for(g={},d=0;d<e.attributes.length;d++)g[(h=e.attributes[d]).name]=h.value;for(d in g)h=g[d],d=="dangerouslySetInnerHTML"?m=h:d=="children"||d in v||d=="value"&&"defaultValue"in v||d=="checked"&&"defaultChecked"in v||we(e,d,null,h,a);for(d in v)h=v[d],d=="children"?c=h:d=="dangerouslySetInnerHTML"?f=h:d=="value"?$=h:d=="checked"?_=h:i&&typeof h!="function"||g[d]===h||we(e,d,h,g[d],a);f?(i||m&&(f.__html==m.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(m&&(e.textContent=""),(x=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&mn.test(x))&&(a="http://www.w3.org/1999/xhtml"),gt(p,We(c)?c:[c],t,n,s,a,o,r,o?o[0]:n.__k&&Q(n,0),i,l),o&&o.some(se)),i&&x!="textarea"||(d="value",x=="progress"&&$==null?e.removeAttribute(d):$==null||$===e[d]&&(x!="progress"||$)||we(e,d,$,g[d],a),d="checked",_!=null&&_!=e[d]&&we(e,d,_,g[d],a))}else g===v||i&&e.data==v||(e.data=v);return e}function Ke(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){S.__e(a,n)}}function Ve(e,t,n){var s,a,o,r;if(S.unmount&&S.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||Ke(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){S.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(r=0;r<s.length;r++)s[r]&&Ve(s[r],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=Ce(s,o=[]))&&(s==e.__e&&o.some(se),se(a),se(s)),n||se(e.__e),e.__e=e.__c=e.__=null}function vn(e,t,n){return this.constructor(e,n)}function U(e,t){var n,s,a,o;S.__&&S.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=pe(Pe,{children:[e]}),a=[],o=[],qe(t,t.__k,s||Me,Me,t.namespaceURI,s?null:t.firstChild?ze.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),vt(a,t.__k,o),t.__k.props.children=null}S={__e:function(e,t,n,s){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw Se=0,e}},pt=0,fn=function(e){return e!=null&&e.constructor===fe},ke.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=oe({},this.state)),typeof e=="function"&&(e=e(oe({},n),this.props)),e&&(oe(n,e),this.__v&&(t&&this.__k.push(t),ut(this)))},ke.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),ut(this))},ke.prototype.render=Pe,Y=[],Se=0,ft=function(e,t){return e.__v.__b-t.__v.__b},xe=Symbol(),ht=/(PointerCapture)$|Capture$/i,Fe=0,Ue={},hn=0;var me,L,Je,wt,Ge=Object.is,Ne=0,Lt=[],Xe=[],P=S,xt=P.__b,kt=P.__r,Ct=P.diffed,St=P.__c,Mt=P.unmount,Et=P.__;function Ye(e,t){P.__h&&P.__h(L,e,Ne||t),Ne=0;var n=L.__H||(L.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function R(e){return Ne=1,wn(Ot,e)}function wn(e,t,n){var s=Ye(me++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Ot(void 0,t),function(o){var r=(s.__N||s.__)[0],i=s.t(r,o);Ge(r,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=L,!L.__f)){L.__f=!0;var a=L.shouldComponentUpdate;L.shouldComponentUpdate=function(o,r,i){var l=this.__H;if(!l)return!0;var p=!1,d=this.props!=o;if(l.__.some(function(m){m.__N&&(p=!0,Ge(m.__[0],m.__N[0])||(d=!0))}),a){var f=a.call(this,o,r,i);return p?f||d:f}return!p||d}}return s.__}function N(e,t){var n=Ye(me++,3);!P.__s&&At(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,L.__H.__h.push(n))}function j(e){return Ne=5,ee(function(){return{current:e}},[])}function ee(e,t){var n=Ye(me++,7);return At(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function xn(){var e;do{for(;e=Xe.shift();)try{he(e)}catch(n){P.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Lt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(he),t.__h.some(Ze),t.__h=[]}catch(n){t.__h=[],P.__e(n,e.__v)}}}while(Xe.length)}P.__b=function(e){L=null,xt&&xt(e)},P.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Et&&Et(e,t)},P.__r=function(e){kt&&kt(e),me=0;var t=(L=e.__c).__H;t&&(Je==L?L.__h=[]:(t.__h.some(he),t.__h.some(Ze),me=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Je=L},P.diffed=function(e){Ct&&Ct(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Nt(Lt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Je=L=null},P.__c=function(e,t){t.some(function(n){try{n.__h.some(he),n.__h=n.__h.filter(function(s){return!s.__||Ze(s)})}catch(s){n.__h=[function(){throw s}]}}),St&&St(e,t)},P.unmount=function(e){Mt&&Mt(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,Nt(Xe.push(a))}else he(a)}catch(o){t=o}}),s.__H=void 0,t&&P.__e(t,s.__v))};var Pt=typeof requestAnimationFrame=="function";function kn(e){var t,n=function(){clearTimeout(s),Pt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Pt&&(t=requestAnimationFrame(n))}function Nt(e){e!=1&&wt==P.requestAnimationFrame||((wt=P.requestAnimationFrame)||kn)(xn)}function he(e){var t=L,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),L=t}function Ze(e){var t=L;e.__c=e.__(),L=t}function At(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!Ge(n,e[s])})}function Ot(e,t){return typeof t=="function"?t(e):t}var It=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,n[t[o++]]):t[++o];r===3?s[0]=i:r===4?s[1]=Object.assign(s[1]||{},i):r===5?(s[1]=s[1]||{})[t[++o]]=i:r===6?s[1][t[++o]]+=i+"":r?(a=e.apply(i,It(e,i,n,["",null])),s.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(i)}return s},Tt=new Map;function Rt(e){var t=Tt.get(this);return t||(t=new Map,Tt.set(this,t)),(t=It(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,r="",i="",l=[0],p=function(m){o===1&&(m||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?l.push(0,m,r):o===3&&(m||r)?(l.push(3,m,r),o=2):o===2&&r==="..."&&m?l.push(4,m,0):o===2&&r&&!m?l.push(5,0,!0,r):o>=5&&((r||!m&&o===5)&&(l.push(o,0,r,a),o=6),m&&(l.push(o,m,0,a),o=6)),r=""},d=0;d<n.length;d++){d&&(o===1&&p(),p(d));for(var f=0;f<n[d].length;f++)s=n[d][f],o===1?s==="<"?(p(),l=[l],o=3):r+=s:o===4?r==="--"&&s===">"?(o=1,r=""):r=s+r[0]:i?s===i?i="":r+=s:s==='"'||s==="'"?i=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=r,r=""):s==="/"&&(o<5||n[d][f+1]===">")?(p(),o===3&&(l=l[0]),o=l,(l=l[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):r+=s),o===3&&r==="!--"&&(o=4,l=l[0])}return p(),l})(e)),t),arguments,[])).length>1?t:t[0]}var u=Rt.bind(mt);var te=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>te.received.set(e,t);var Cn=document.documentElement.dataset.root??"",A=e=>e.startsWith("data:image/")?e:Cn+e.split("/").map(encodeURIComponent).join("/");function I(e){if(!te.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=A(`data/${e}.js`);let o=()=>{te.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!te.received.has(e))return o();n(te.received.get(e)),te.received.delete(e)},document.head.append(a)});te.chunks.set(e,t)}return te.chunks.get(e)}var re=()=>I("site");function W(e,t){let[n,s]=R({});return N(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var de=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Le(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function C(e,{replace:t=!1}={}){let n=Le(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function $e(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function H(){let[e,t]=R(de);return N(()=>$e(()=>t(de())),[]),e}var Sn="input:not([type=checkbox]):not([type=radio]), textarea, select";function J(e){N(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(Sn))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function ie(e){let{block:t}=await re(),n=Math.floor(e/t),s=await I(`items-${String(n).padStart(3,"0")}`);return Qe(s,e)}function Qe(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function _e({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:ae(t),height:ae(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:ae(t),height:ae(t),backgroundImage:`url("${A(e.atlas)}")`,backgroundPosition:`-${ae(o)} -${ae(r)}`,backgroundSize:`${ae(e.columns*e.tile*a)} auto`};return u`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var Ae=e=>`${A("image.html")}#id=${e}`,ae=e=>`${Math.round(e*1e3)/1e3}px`;function k(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function q(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var M=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function Mn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function G({text:e,children:t}){let[n,s]=R(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await Mn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function et(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function Bt(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var B=({error:e})=>u`<p class="problem" role="alert">${e.message}.</p>`;function En(){for(let e of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")){let[t,n]=[e.parentElement,e.getBoundingClientRect()],{left:s,right:a}=t.getBoundingClientRect();(n.left<s||n.right>a)&&(t.scrollLeft+=(n.left+n.right-s-a)/2)}}var T=()=>{document.body.dataset.ready!=="true"&&En(),document.body.dataset.ready="true"};var Pn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},Nn=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function Ln(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function An(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),r=document.createElement("span");for(let p of a){let d=document.createElement("button");d.type="button",d.className="sort",d.append(...p.childNodes),p.append(d),d.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",m=p.classList.contains("number"),h=!p.hasAttribute("aria-sort")?m?"down":"up":f?"up":"down";C({[`${t}-sort`]:`${p.dataset.key}-${h}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>C({[`${t}-filter`]:o.value},{replace:!0})),r.className="note",r.setAttribute("aria-live","polite");let i=document.createElement("div");i.className="bar-of-controls",i.append(o,r),e.parentElement.before(i);let l=()=>{let p=de(),[,d,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],m=a.findIndex(_=>_.dataset.key===d);a.forEach((_,y)=>{y===m?_.setAttribute("aria-sort",f==="up"?"ascending":"descending"):_.removeAttribute("aria-sort")});let c=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let $=(m<0?s:s.map(_=>[Pn(_.cells[m]),_]).sort((_,y)=>Ln(_[0],y[0],f==="up"?1:-1)).map(([,_])=>_)).filter(_=>Nn(_).includes(c));n.replaceChildren(...$),r.textContent=c?`${$.length} of ${s.length}`:""};l(),$e(l)}var Oe=()=>document.querySelectorAll("table.sortable").forEach(An);var le=560,On=7,Tn=12,Dt=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function In(e,t){return(n,s)=>{let a=null,o=On;for(let r of e){let i=Math.max(Math.abs((r[1]+.5)*t-n),Math.abs((r[0]+.5)*t-s))-t/2;(i<o||i===o&&r[2]>a[2])&&([a,o]=[r,i])}return a}}function Rn(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=le*s;let a=e.getContext("2d"),o=getComputedStyle(e),[r,i,l]=["--right","--wrong","--line"].map(m=>o.getPropertyValue(m)),p=le/t.length,d=n.reduce((m,c)=>Math.max(m,c[2]),1);a.scale(s,s),a.strokeStyle=l,a.beginPath(),a.moveTo(0,0),a.lineTo(le,le),a.stroke();let f=Math.max(p,3);for(let[m,c,h]of n)a.globalAlpha=.35+.65*Math.sqrt(h/d),a.fillStyle=m===c?r:i,a.fillRect((c+.5)*p-f/2,(m+.5)*p-f/2,f,f)}function Bn(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function Dn({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?u`<p class="note">No class has this name.</p>`:null;let a=(r,i)=>{let l=r.sort((p,d)=>d[2]-p[2]);return u`<div>
      <h4>${i}</h4>
      ${l.length===0&&u`<p class="note">none</p>`}
      <ul>
        ${l.slice(0,Tn).map(([p,d,f])=>u`<li key=${`${p}-${d}`}>
          <a href=${Dt(e[p],e[d])}>${e[p===s?d:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(r=>r[0]!==r[1]);return u`<div class="class-confusions">
    ${a(o.filter(r=>r[0]===s),"Its images are predicted as")}
    ${a(o.filter(r=>r[1]===s),"Predicted so, but labelled")}
  </div>`}function jn({name:e}){let[t,n]=W(()=>I(e),[e]),s=j(),[a,o]=R(null),{confusions:r}=H();if(N(()=>{if(!t)return;let h=()=>Rn(s.current,t.names,t.cells),$=window.matchMedia("(prefers-color-scheme: dark)");return h(),$.addEventListener("change",h),()=>$.removeEventListener("change",h)},[t]),n)return u`<${B} error=${n} />`;if(!t)return u`<p class="note">The matrix is loading …</p>`;let{names:i,cells:l}=t,p=In(l,le/i.length),d=r??i[Bn(i,l)],f=h=>{let $=s.current.getBoundingClientRect();return p((h.clientX-$.left)/$.width*le,(h.clientY-$.top)/$.height*le)},m=h=>{let $=f(h);$&&(location.href=Dt(i[$[0]],i[$[1]]))},c=a?`${i[a[0]]}, predicted as ${i[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it, click it to see its images.";return u`<h3>All ${i.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${h=>o(f(h))} onPointerLeave=${()=>o(null)} onClick=${m}></canvas>
        <figcaption>${c}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${d}
            onInput=${h=>C({confusions:h.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${i.map(h=>u`<option value=${h} />`)}</datalist>
        <${Dn} names=${i} cells=${l} name=${d} />
      </div>
    </div>`}function jt(){Oe();let e=document.getElementById("full-matrix");e&&U(u`<${jn} name=${e.dataset.chunk} />`,e),T()}var ge=254,Hn=255,Ut="convviz-maps",Un={opacity:.65,smooth:!0,shared:!1},nt=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function Fn(){try{return JSON.parse(localStorage.getItem(Ut))??{}}catch{return{}}}function Wn(e){try{localStorage.setItem(Ut,JSON.stringify(e))}catch{}}var Ft=(e,t)=>t===Hn?null:e.low+t/ge*(e.high-e.low);function zn(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let r=0;r<t.length;r++){let i=Ft(e,t[r]);if(i===null)continue;let l=Math.min(1,Math.max(0,(i-s)/(a-s||1))),p=3*Math.round(l*ge);o.data.set([n[p],n[p+1],n[p+2],255],4*r)}return o}function qn({palette:e,range:t,unit:n,isSigned:s}){let a=j();N(()=>{let l=a.current.getContext("2d"),p=new ImageData(ge+1,1);for(let d=0;d<=ge;d++)p.data.set([...e.subarray(3*d,3*d+3),255],4*d);l.putImageData(p,0,0)},[e]);let[o,r]=t,i=s?`red: ${n||"value"} above zero, blue: below zero`:`bright: high ${n||"value"}`;return u`<div class="colour-bar">
    <canvas ref=${a} width=${ge+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${k(o)}</span>${s&&u`<span>0</span>`}<span>${k(r)}</span></span>
    <span class="muted small">${i}</span>
  </div>`}var Wt=16,tt={factor:1,x:.5,y:.5};function Te(e,t,n){let s=Math.min(Wt,Math.max(1,e)),a=.5/s,o=r=>Math.min(1-a,Math.max(a,r));return{factor:s,x:o(t),y:o(n)}}function Ht(e,{factor:t,x:n,y:s}){let a=e.currentTarget.getBoundingClientRect();return[n+((e.clientX-a.left)/a.width-.5)/t,s+((e.clientY-a.top)/a.height-.5)/t]}function Kn({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:r,zoom:i,setZoom:l,isBare:p}){let d=j(),f=j(null),m=ee(()=>e.values&&nt(e.values),[e]);N(()=>{m&&d.current.getContext("2d").putImageData(zn(e,m,n,s),0,0)},[m,n,s[0],s[1]]);let c=p?0:e.view&&!e.picture?a.opacity:1,h=b=>{f.current={x:b.clientX,y:b.clientY,zoom:i,isMoved:!1},b.currentTarget.setPointerCapture(b.pointerId)},$=b=>{r(Ht(b,i));let w=f.current;if(!w)return;let O=b.currentTarget.getBoundingClientRect(),[E,D]=[(b.clientX-w.x)/O.width,(b.clientY-w.y)/O.height];w.isMoved||=Math.hypot(b.clientX-w.x,b.clientY-w.y)>4,w.isMoved&&l(Te(i.factor,w.zoom.x-E/i.factor,w.zoom.y-D/i.factor))},_=b=>{let w=f.current&&!f.current.isMoved;if(f.current=null,!w||b.button!==0)return;let[O,E]=Ht(b,i);l(b.shiftKey?Te(i.factor/2,i.x,i.y):Te(i.factor*2,O,E))},y="";if(o&&m){let b=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),w=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),O=Ft(e,m[w*e.width+b]);y=O===null?"no value":k(O)}let g=a.smooth?"":"crisp",v=(b,w)=>`${100*(.5+(b-w)*i.factor)}%`,x={transform:`translate(${100*(.5-i.x*i.factor)}%, ${100*(.5-i.y*i.factor)}%) scale(${i.factor})`};return u`<div class="map-panel ${i.factor>1?"is-zoomed":""}" onPointerDown=${h} onPointerMove=${$} onPointerUp=${_}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>r(null)}>
    <div class="map-layers" style=${x}>
      ${e.view&&u`<img class=${i.factor>2?"crisp":""} src=${A(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?u`<img class=${`over ${g}`} src=${A(e.picture)} style=${{opacity:c}} alt=${t} />`:u`<canvas ref=${d} class=${`over ${g}`} width=${e.width} height=${e.height} style=${{opacity:c}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&u`<span class="cross" style=${{left:v(o[0],i.x),top:v(o[1],i.y)}}></span>`}
    <output class="reading">${y}</output>
  </div>`}function Vn({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let n=e.agreements.map(({panels:s,correlation:a,overlap:o})=>{let[r,i]=s.map(d=>e.panels[d]),l=r.row===i.row;return{names:[r,i].map(d=>l?t.column(d.column):t.row(d.row)),of:l?t.row(r.row):t.column(r.column),correlation:a,overlap:o}});return u`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${n.map(({names:s,of:a,correlation:o,overlap:r},i)=>u`<tr key=${i}>
          <th scope="row">${s[0]} – ${s[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${q(r)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function Jn(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function Gn(e){return e.map(t=>{let n=e.filter(({name:a})=>a===t.name),s=Object.entries(t.parameters).filter(([a,o])=>n.some(r=>r.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...s].filter(Boolean).join(" ")})}function Xn({chunk:e,choices:t,onChoices:n,only:s,onOnly:a,keyTarget:o=document}){let[r,i]=R(null),[l,p]=R(tt),[d,f]=R(!1),m=ee(()=>({signed:nt(e.palettes.signed),plain:nt(e.palettes.plain)}),[e]),c=b=>n({...t,...b});N(()=>{let b=w=>{w.key!==" "||w.target.closest?.("input, button, select, a, textarea")||(w.preventDefault(),f(w.type==="keydown"))};return o.addEventListener("keydown",b),o.addEventListener("keyup",b),()=>{o.removeEventListener("keydown",b),o.removeEventListener("keyup",b)}},[o]);let h=b=>p(Te(l.factor*b,...r??[l.x,l.y]));J(o===document?{"+":()=>h(2),"=":()=>h(2),"-":()=>h(.5),0:()=>p(tt)}:{});let _=new Set(e.rows.map(b=>b.model)),y={row:b=>[e.rows[b].target,_.size>1&&e.rows[b].model].filter(Boolean).join(" · "),column:b=>v[b]},g=e.columns.map((b,w)=>({...b,place:w})).filter(b=>s===void 0||b.name===s),v=Gn(e.columns),x=g.length?g:e.columns.map((b,w)=>({...b,place:w}));return u`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${b=>c({opacity:Number(b.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${b=>c({smooth:b.target.checked})} /> smooth</label>
      ${e.rows.length>1&&u`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${b=>c({shared:b.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${l.factor===1} onClick=${()=>h(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${l.factor===Wt} onClick=${()=>h(2)}>+</button>
        <button type="button" disabled=${l.factor===1} onClick=${()=>p(tt)}>Whole image</button>
      </span>
      ${e.columns.length>1&&u`<label class="field">Explainer
        <select value=${s??""} onChange=${b=>a(b.target.value||void 0)}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:b})=>b))].map(b=>u`<option value=${b}>${b}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${x.map(b=>u`<th scope="col" key=${b.place}>
          ${v[b.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:b,model:w},O)=>u`<tr key=${O}>
          <th scope="row">${b}${_.size>1&&u` <span class="muted">${w}</span>`}</th>
          ${x.map(E=>u`<td key=${E.place}>
            ${e.panels.filter(D=>D.row===O&&D.column===E.place).map(D=>{let z=D.signed?m.signed:m.plain,V=Jn(e.panels,D,t.shared);return u`<div class="map-cell">
                <${Kn} panel=${D} palette=${z} range=${V} choices=${t} ...${{cross:r,setCross:i,zoom:l,setZoom:p,isBare:d}}
                  title=${`${E.name} for ${y.row(O)}`} />
                ${D.values?u`<${qn} palette=${z} range=${V} unit=${E.unit} isSigned=${D.signed} />`:u`<span class="muted small">Mid-grey is zero; colours are the channels of ${E.unit||"the map"}.</span>`}
                ${D.note&&u`<span class="muted small">${D.note}</span>`}
                ${E.notes.length>0&&u`<p class="map-note" title=${E.notes.join(" ")}>${E.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${Vn} chunk=${e} nameOf=${y} />
    ${x.map(b=>u`<details key=${b.place} class="small">
      <summary>${v[b.place]}: parameters and notes</summary>
      ${b.notes.map(w=>u`<p class="note">${w}</p>`)}
      <dl class="facts">${Object.entries(b.parameters).map(([w,O])=>u`<div key=${w}>
        <dt>${w}</dt><dd class="plain">${O}</dd></div>`)}</dl>
    </details>`)}`}function zt({name:e}){let[t,n]=W(async()=>e?I(e):null,[e]),[s,a]=R({...Un,...Fn()}),{only:o}=H();if(!e)return null;let r=i=>{a(i),Wn(i)};return u`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&u`<${B} error=${n} />`}
    ${t&&u`<${Xn} key=${e} chunk=${t} choices=${s} onChoices=${r}
      only=${o} onOnly=${i=>C({only:i},{replace:!0})} />`}
  </section>`}function K(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var ce=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var Zn=64,st=e=>Math.max(...e.size)<=Zn?"crisp":"";function be({item:e,size:t}){return e?e.preview?u`<img class="square ${st(e)}" src=${A(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:u`<${_e} tile=${e.thumb} size=${t} />`:u`<${_e} size=${t} />`}function ot({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],r=n/Math.max(o[2]-o[0],o[3]-o[1]),i={width:`${a*r}px`,height:`${s*r}px`,left:`${n/2-(o[0]+o[2])/2*r}px`,top:`${n/2-(o[1]+o[3])/2*r}px`};return u`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${r>3?"crisp":""} src=${A(e.preview)} alt="" style=${i} /></span>`}var Yn=.8,Ie=e=>`images.html#${new URLSearchParams(e)}`;function Qn({item:e}){return e.preview?u`<img class="photo-large ${st(e)}" src=${A(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:u`<p class="photo-missing">The photo is not part of this report.</p>`}function es({item:e}){return e.correct===!0?u`<span class="badge good">✓ predicted right</span>`:e.correct===!1?u`<span class="badge bad">✗ predicted wrong</span>`:null}function ts({site:e,item:t,predictions:n,index:s}){let a=K(e,t),o=n.names[s],r=n.rank?.[s]??-1,i=o.some(p=>a.includes(p)),l=n.label_probability?.[s];return u`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,d)=>{let f=n.probabilities[s][d];return u`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${Ie({predicted:p})}>${p}</a>
            ${a.includes(p)&&u` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${q(f)}</td>
        </tr>`})}
      ${!i&&r>=0&&u`<tr class="is-label">
        <th scope="row"><a href=${Ie({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${r+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(l??0)}%`}}></span></span></td>
        <td class="number">${q(l)}</td>
      </tr>`}
    </tbody>
  </table>`}function qt({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let r=K(e,t),i=s.map((l,p)=>[l,a[p]]).filter(([l])=>l>=0);return u`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${i.map(([l,p])=>u`<${ns} key=${l} site=${e} row=${l} distance=${p}
        unit=${o} labels=${r} />`)}
    </ol>
  </div>`}function ns({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=W(()=>ie(t),[t]),r=o?K(e,o):[],i=a.length>0&&r[0]===a[0];return u`<li>
    <a class="image-item small" href=${Ae(t)}>
      <${be} item=${o} size=${88} />
      <span class="line">${r[0]??o?.name??""}${i&&u` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${k(n)}</span>
    </a>
  </li>`}function ss({site:e,item:t,neighbors:n,index:s}){let a=e.layers.filter(p=>n[p.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:p})=>p===o.near)??a.at(-1),i=n[r.slug],l=i.items[s].every(p=>p<0);return u`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&u`<label class="field">Features of
        <select value=${r.slug} onChange=${p=>C({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:d})=>u`<option value=${p}>${d}</option>`)}
        </select></label>`}
    </div>
    ${l?u`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:u`<${qt} site=${e} item=${t} title=${`in the features of ${r.name} (${i.unit})`}
          rows=${i.items[s]} distances=${i.distances[s]} unit=${i.unit} />`}
    ${i.pixel_items&&u`<${qt} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${i.pixel_items[s]} distances=${i.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function Kt({size:[e,t]},[n,s,a,o]){return(Math.min(t,a)-Math.max(0,n))*(Math.min(e,o)-Math.max(0,s))>Yn*t*e}function os({site:e,row:t,box:n}){let[s]=W(()=>ie(t),[t]);if(!s)return u`<span class="crop empty"></span>`;let a=K(e,s)[0]??s.name;return u`<span class="other-patch" title=${s.name}>${n&&s.preview?u`<${ot} item=${s} box=${n} size=${76} />`:u`<${be} item=${s} size=${76} />`}<span class="line muted small">${a}</span></span>`}function as({site:e,row:t,file:n,commands:s}){if(e.live)return u`<section class="card" aria-labelledby="hint-title"><h2 id="hint-title">Which pixels matter</h2>
      <p><a href=${`live.html#${new URLSearchParams({row:t})}`}>Explain this image in the workbench</a></p></section>`;let[a,o,r]=s,i=[a.replace("PHOTO",()=>n),o];return u`<section class="card source" aria-labelledby="hint-title">
    <h2 id="hint-title">Which pixels matter</h2>
    <p class="note">This report has no maps of this image. ${n==="PHOTO"&&u`Save it as a file PHOTO. `}These
      lines compute some and write the report again with them:</p>
    <div class="lines">${i.map(l=>u`<code>${l}</code><${G} text=${l}>Copy<//>`)}</div>
    <p class="note">Or open the run with a workbench, in which a click explains an image:</p>
    <div class="lines"><code>${r}</code><${G} text=${r}>Copy<//></div>
  </section>`}function rs({site:e,item:t,units:n,index:s}){let a=e.layers.filter(l=>n[l.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:l})=>l===o.layer)??a.at(-1),i=n[r.slug][s];return u`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&u`<label class="field">Layer
        <select value=${r.slug} onChange=${l=>C({layer:l.target.value},{replace:!0})}>
          ${a.map(({slug:l,name:p})=>u`<option value=${l}>${p} (${n[l][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${i.length===0?`This image is among the top images of no unit of ${r.name}.`:`Units of ${r.name} that have this image among their top images, the highest ranks first. ${i.some(([,,,l])=>l&&!Kt(t,l))?"Left: what the unit sees of this image; right: its best patch in another one.":"Each picture is the unit's best patch in another image."}`}</p>
    <ol class="unit-cards">
      ${i.map(([l,p,d,f,m,c])=>u`<li key=${`${l}-${p}`}>
        <a href=${`${A(r.pages.layer)}#unit=${l}`}>
          <span class="pair">${f&&!Kt(t,f)&&u`<${ot} item=${t} box=${f} size=${76} />`}
            ${m!==null&&u`<${os} key=${m} site=${e} row=${m} box=${c} />`}</span>
          <strong>unit ${l}</strong>
          <span class="muted small">rank ${p+1} · ${k(d)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function is({site:e,row:t,block:n,commands:s}){let a=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[o,r]=W(async()=>[await ie(t),await I(a),t],[t]),i=h=>{let $=t+h;$>=0&&$<e.count&&C({id:$})};if(J({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),N(()=>{(o||r)&&T(),o&&(document.title=`${o[0].name} – ${e.title}`)},[o,r]),r)return u`<${B} error=${r} />`;if(!o)return u`<p class="muted">Loading …</p>`;let[l,p,d]=o,f=d-p.start,m=K(e,l),c=e.layers.filter(h=>h.pages.map);return u`<div class="head">
      <h1>${l.name}</h1>
      <${es} item=${l} />
      <span class="sub">image ${M(d+1)} of ${M(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${G} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${Qn} item=${l} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${m.length?u`<a href=${Ie({class:m[0]})}>${m.join(" · ")}</a>`:u`<span class="muted">none</span>`}</dd></div>
            ${l.predicted!==null&&u`<div><dt>predicted</dt><dd>
              <a href=${Ie({predicted:ce(e,l.predicted)})}>${ce(e,l.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${l.size[1]} × ${l.size[0]}</dd></div>
          </dl>
          ${p.predictions?u`<${ts} site=${e} item=${l} predictions=${p.predictions} index=${f} />`:u`<p class="note">The run has no predictions.</p>`}
          ${c.length>0&&u`<p class="links">${c.map(h=>u`<a
            href=${`${A(h.pages.map)}#id=${d}`}>Place on the map of ${h.name}</a> `)}</p>`}
        </section>
      </div>
      ${p.maps?.[f]?u`<${zt} name=${p.maps[f]} />`:u`<${as} site=${e} row=${d} file=${p.files[f]} commands=${s} />`}
      <${ss} site=${e} item=${l} neighbors=${p.neighbors} index=${f} />
      <${rs} site=${e} item=${l} units=${p.units} index=${f} />
    </div>`}function ls({site:e,block:t,commands:n}){let{id:s}=H(),a=Number(s??0),o=Number.isInteger(a)&&a>=0&&a<e.count;return N(()=>{o||T()},[o]),o?u`<${is} site=${e} row=${a} block=${t} commands=${n} />`:u`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${s}”.</p>`}async function Vt(){let e=document.getElementById("image");try{U(u`<${ls} site=${await re()} block=${Number(e.dataset.block)}
      commands=${JSON.parse(e.dataset.commands)} />`,e)}catch(t){U(u`<${B} error=${t} />`,e),T()}}var ye=120,cs=new Intl.Collator(void 0,{numeric:!0}),us=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],Jt=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function ds(e){let[t,n]=R([]),[s,a]=R(null),o=Math.ceil(e.count/e.block);return N(()=>{let r=!0,i=[];return(async()=>{for(let p=0;p<o;p++){let d=await I(`items-${String(p).padStart(3,"0")}`);if(!r)return;for(let f=0;f<d.names.length;f++)i.push(Qe(d,d.start+f));(p===0||p===o-1||p%16===0)&&n([...i])}})().catch(p=>r&&a(p)),()=>r=!1},[e]),[t,s]}function ps(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=K(e,s),o=ce(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null)return!1;let r=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(i=>r.includes(i))}}function fs(e,t,n){let s=(a,o=1)=>[...t].sort((r,i)=>{let[l,p]=[a(r),a(i)];return l===p?r.row-i.row:l===null||l===""?1:p===null||p===""?-1:o*(typeof l=="number"?l-p:cs.compare(l,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>K(e,a)[0]??""):t}function hs({site:e,item:t,isCurrent:n,onFocus:s}){let a=K(e,t)[0]??"",o=ce(e,t.predicted),r=t.correct===!1?"wrong":t.correct===!0?"right":"",i=r==="wrong"?`✗ ${o}`:o===a?"✓":o,l=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${q(t.probability)}`,r].filter(Boolean).join(", ");return u`<li>
    <a class="image-item ${r}" href=${`image.html#id=${t.row}`} aria-label=${l} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${be} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&u`<span class="line">${a}</span>`}
      ${o&&u`<span class="verdict"><span class="line">${i}</span>
        <span class="share">${q(t.probability)}</span></span>`}
    </a>
  </li>`}function Gt({name:e,title:t,options:n,value:s}){return u`<label class="field">${t}
    <select value=${s} onChange=${a=>C({[e]:a.target.value})}>
      ${n.map(([a,o])=>u`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function Xt({name:e,title:t,names:n,value:s}){let a=o=>C({[e]:o.target.value},{replace:!0});return u`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>u`<option value=${o} />`)}</datalist>
  </label>`}function ms(e,t,n,s,a){let o=t.children,r=Math.max(1,[...o].findIndex(d=>d.offsetTop>o[0].offsetTop)),i=r===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:r,l={ArrowRight:1,ArrowLeft:-1,ArrowDown:i,ArrowUp:-i}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:l?n+l:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function $s({site:e}){let t=H(),[n,s]=ds(e),[a,o]=R(ye),[r,i]=R(0),l=j(),p=j(),d=ee(()=>fs(e,n.filter(ps(e,t)),t.sort),[e,n,t]),f=n.some(g=>g.predicted!==null),m=ee(()=>[...new Set(n.map(g=>ce(e,g.predicted)))].filter(Boolean).sort(),[n]),c=ee(()=>[...new Set(n.flatMap(g=>K(e,g).slice(0,1)))].sort(),[n]);J({"/":()=>p.current.focus()}),N(()=>{o(ye),i(0)},[t]),N(()=>{n.length&&T()},[n]);let h=j();N(()=>{if(!h.current)return;let g=new IntersectionObserver(v=>v.some(x=>x.isIntersecting)&&o(x=>x+ye),{rootMargin:"400px"});return g.observe(h.current),()=>g.disconnect()},[a<d.length,a]);let $=g=>{g>=a&&o(g+ye),i(g);let v=()=>l.current.children[g]?.firstElementChild?.focus();g<l.current.children.length?v():requestAnimationFrame(v)};if(s)return u`<${B} error=${s} />`;let _=n.length<e.count,y=["q","class","predicted","correct"].some(g=>t[g]);return u`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${g=>C({q:g.target.value},{replace:!0})} />
      </label>
      ${c.length>0&&u`<${Xt} name="class" title="Label" names=${c} value=${t.class??""} />`}
      ${f&&u`<${Xt} name="predicted" title="Predicted" names=${m} value=${t.predicted??""} />
        <${Gt} name="correct" title="Prediction is" options=${us} value=${t.correct??""} />`}
      <${Gt} name="sort" title="Order" value=${t.sort??""}
        options=${f?Jt:Jt.filter(([g])=>g!=="confidence"&&g!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${M(d.length)} ${y?`of ${M(n.length)}`:""} images${_?`; ${M(e.count-n.length)} are loading …`:""}
      ${y&&u` <a href="#" onClick=${g=>{g.preventDefault(),C({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${d.length===0&&!_&&u`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${l} onKeyDown=${g=>ms(g,l.current,r,d.length,$)}>
      ${d.slice(0,a).map((g,v)=>u`<${hs} key=${g.row} site=${e} item=${g}
        isCurrent=${v===r} onFocus=${()=>i(v)} />`)}
    </ol>
    ${a<d.length&&u`<p ref=${h}><button type="button" onClick=${()=>o(a+ye)}>
      Show more of ${M(d.length)}</button></p>`}`}async function Zt(){let e=document.getElementById("images");try{let t=await re();U(u`<${$s} site=${t} />`,e),t.count===0&&T()}catch(t){U(u`<${B} error=${t} />`,e),T()}}var _s=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0)),at=e=>e.replace(/[.*+?^${}()|[\]\\]/g,"\\$&"),gs=e=>/[*?]/.test(e),bs=(e,t)=>[e.classes[t],e.outputs[e.class_outputs?.[t]]].filter(n=>typeof n=="string");function ys(e,t){let n=t.trim();return e.classes.some(s=>s.toLowerCase()===n.toLowerCase())?[n]:n.split(",").map(s=>s.trim()).filter(Boolean)}function vs(e,t,n){let s=p=>t.filter(d=>bs(e,d).some(p)),a=n.toLowerCase(),o=s(p=>p.toLowerCase()===a);if(o.length)return[o,"name"];if(gs(n)){let p=[...n].map(f=>({"*":".*","?":"."})[f]??at(f)),d=new RegExp(`^${p.join("")}$`,"isu");return[s(f=>d.test(f)),"pattern"]}let r=n.match(/^(\d+)-(\d+)$/);if(r){let[,p,d]=r.map(Number);return[t.filter(f=>{let m=e.class_outputs?.[f]??-1;return m>=p&&m<=d}),"outputs"]}if(/^\d+$/.test(n))return[[],"number"];let i=new RegExp(`(^|[^\\p{L}\\p{N}])${at(n)}($|[^\\p{L}\\p{N}])`,"iu"),l=s(p=>i.test(p));return l.length?[l,"word"]:[s(p=>p.toLowerCase().includes(a)),"part"]}function Yt(e,t,n){let s={labels:new Set,parts:[],unknown:[],patterns:[]};for(let a of ys(e,n??"")){let[o,r]=vs(e,t,a);for(let i of o)s.labels.add(i);r==="part"&&o.length&&s.parts.push(a),!o.length&&r!=="number"&&s.unknown.push(a),r==="pattern"||r==="outputs"?s.patterns.push(a):s.patterns.push(...o.map(i=>e.classes[i].replace(/[*?[]/g,"[$&]")))}return s}function Qt(e,t,n){let s=n.slice(n.lastIndexOf(",")+1).trim(),a=n.slice(0,n.lastIndexOf(",")+1),o=t.map(l=>e.classes[l]),r=new RegExp(`(^|[^\\p{L}\\p{N}])${at(s)}`,"iu"),i=l=>s&&r.test(l)?0:1;return o.sort((l,p)=>i(l)-i(p)||(l<p?-1:1)),o.map(l=>a?`${a} ${l}`:l)}var Re=class{constructor(t,n){this.count=n,this.least=t.least,this.images=new Map(t.classes.map((r,i)=>[r,t.images[i]]));let s=_s(t.lifts),a=new Uint16Array(s.buffer,0,s.length/2),o=r=>r?2**((r-1)/t.steps-t.doublings):0;this.rows=new Map(t.classes.map((r,i)=>[r,()=>Float64Array.from(a.subarray(i*n,(i+1)*n),o)]))}of(t){let n=new Float64Array(this.count),s=new Float64Array(this.count).fill(-1),a=new Array(this.count).fill(null),o=0;for(let r of t){let[i,l]=[this.rows.get(r)(),this.images.get(r)];o+=l,i.forEach((p,d)=>{n[d]+=l*p,p>s[d]&&([s[d],a[d]]=[p,r])})}return{lift:n.map(r=>r/o),best:a,images:o,least:this.least}}};var ne=420,ve=130,Z=ve-22,ws=6;function en({edges:e,counts:t}){let n=t.reduce((d,f)=>d+f,0),s=Math.log10(Math.max(...t)+1),a=ne/t.length,o=Math.ceil(e.length/ws),r=t.map((d,f)=>{let m=d?Math.max(1.5,(Z-6)*Math.log10(d+1)/s):0,h=e[f]===0&&e[f+1]===0?"exactly 0":`${k(e[f])} to ${k(e[f+1])}`,$=e[f+1]>0;return u`<rect key=${f} class=${$?"fires":""} x=${f*a+.5} y=${Z-m}
      width=${Math.max(.5,a-1)} height=${m}><title>${h}: ${M(d)} (${(100*d/n).toPrecision(2)} %)</title></rect>`}),i=e.map((d,f)=>[d,f]).filter(([,d])=>d%o===0),l=t.reduce((d,f,m)=>d+(e[m+1]>0?f:0),0),p=`${M(n)} values from ${k(e[0])} to ${k(e.at(-1))}, ${(100*l/n).toPrecision(3)} % above 0`;return u`<svg class="histogram" viewBox="0 0 ${ne} ${ve}" role="img" aria-label=${p}>
      ${r}
      <line x1="0" x2=${ne} y1=${Z+.5} y2=${Z+.5} />
      ${i.map(([d,f])=>u`<text key=${f} x=${f*a} y=${ve-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${k(d,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var Be=5;function tn({low:e,high:t,counts:n,strata:s}){let a=n.reduce((c,h)=>c+h,0),o=Math.log10(Math.max(...n)+1),r=ne/n.length,i=c=>e+(t-e)*c/n.length,l=n.map((c,h)=>{if(!c)return null;let $=Math.max(1.5,(Z-18)*Math.log10(c+1)/o);return u`<rect key=${h} class=${i(h+1)>0?"fires":""} x=${h*r+.5} y=${Z-$}
      width=${r-1} height=${$}><title>${k(i(h))} to ${k(i(h+1))}: ${M(c)} (${(100*c/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(Be+1).keys()],d=c=>t>e?(c-e)/(t-e)*ne:r/2,f=s.map(({share:c,examples:h})=>({share:c,at:d(h[Math.floor(h.length/2)].value)})),m=`The highest values of ${M(a)} images, from ${k(e)} to ${k(t)}`;return u`<svg class="histogram" viewBox="0 0 ${ne} ${ve}" role="img" aria-label=${m}>
      ${l}
      ${f.map(({share:c,at:h})=>u`<line key=${c} class="mark" x1=${h} x2=${h} y1="4" y2=${Z}><title>${rt(c)}</title></line>`)}
      <line x1="0" x2=${ne} y1=${Z+.5} y2=${Z+.5} />
      ${p.map(c=>u`<text key=${c} x=${c*ne/Be} y=${ve-6}
        text-anchor=${c===0?"start":c===Be?"end":"middle"}>${k(e+(t-e)*c/Be,2)}</text>`)}
    </svg>`}function rt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var xs=64,ue=e=>`${(100*e).toFixed(3)}%`;function nn([e,t],n){let[s,a,o,r]=n??[0,0,t,e],i=Math.max(o-s,r-a),l=(s+o-i)/2,p=(a+r-i)/2;return{width:t/i,height:e/i,left:-l/i,top:-p/i}}var ks=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),it=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,ue(n)]));function Cs(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=ue((1-(e[2]-e[0])/t)/2);return`inset(${ue((1-(e[3]-e[1])/t)/2)} ${n})`}function Ss({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let l={width:ue(n.columns),height:ue(n.rows),left:ue(-n.rank),top:ue(-n.row)};return u`<img src=${A(n.atlas)} alt=${s} style=${l} />`}if(!a?.preview&&a?.thumb)return u`<${_e} tile=${a.thumb} size=${xs} label=${s} className="centered" />`;if(!a?.preview)return u`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${it(nn(a.size,null))}>
      <img class=${r} src=${A(a.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${it(ks(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return u`<span class="window" style=${{clipPath:Cs(o)}}>
    <img class=${i} src=${A(a.preview)} alt=${s} style=${it(nn(a.size,o))} /></span>`}function lt({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:r}){let{image:i}=e,l=i?.label===null||i?.label===void 0?"":s.classes[i.label],p=i?.name??"",d=l||p,f=i&&s.has.images?Ae(i.row):null,m=`top ${t+1}: ${d}, activation ${k(e.value)}`,c=u`<span class="frame">${!r&&u`<${Ss} ...${{patch:e,mode:n,guided:a,alt:m}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${f?u`<a href=${f} title=${p}>${c}</a>`:u`<span title=${p}>${c}</span>`}
    <figcaption><b>${k(e.value)}</b> <span title=${d}>${d}</span>
      ${i?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var sn={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},Ms=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function De(e,t,n,s="units"){let o=(await I(`layer/${e}/${s}-${Ms(t,n.block)}`))[t%n.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await ie(i.row)})));return{...o,patches:r}}function an(e,t,n){De(e,t,n).then(({patches:s})=>{for(let{image:a}of s)a?.preview&&(new Image().src=A(a.preview))},()=>{})}function rn({unit:e,units:t,data:n,layer:s,site:a,slug:o,meant:r}){let i=H(),[l,p]=W(()=>De(o,e,n),[o,e]),d=j(null),f=t.indexOf(e),m=_=>{let y=f<0?t[0]:t[(f+_+t.length)%t.length];y!==void 0&&C({unit:y})},c=l?.unit===e,h=Object.keys(sn).filter(_=>_!=="guided"||c&&l.guided!==null&&s.guided),$=h.includes(i.view)?i.view:"crop";return J({ArrowLeft:()=>m(-1),ArrowRight:()=>m(1),w:()=>C({view:$==="whole"?null:"whole"},{replace:!0}),j:()=>d.current?.focus(),Escape:()=>C({unit:null})}),N(()=>{(c||p)&&T();let _=t[f+1];c&&_!==void 0&&De(o,_,n).catch(()=>{})},[c,p]),p?u`<${B} error=${p} />`:c?u`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${Es} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>m(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>m(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${d} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${_=>_.key==="Enter"&&_.target.value!==""&&C({unit:Math.min(n.count-1,Math.max(0,Math.trunc(_.target.valueAsNumber)))})} />
        <${G} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>C({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${ln} ...${{unit:e,data:n,record:l,layer:s}} />
    <div class=${s.other?"unit-body with-other":"unit-body"}>
      <div class="stack">
        <section class="card" aria-labelledby="patches-title">
          <div class="card-head">
            <h3 id="patches-title">Top patches</h3>
            ${l.patches.length>0&&u`<div class="segments" role="group" aria-label="View">
              ${h.map(_=>u`<button type="button" key=${_} aria-pressed=${String($===_)}
                onClick=${()=>C({view:_==="crop"?null:_},{replace:!0})}>${sn[_]}</button>`)}
            </div>`}
          </div>
          <${cn} ...${{record:l,layer:s,mode:$,site:a,meant:r}} />
        </section>
        ${s.has_patches&&u`<${Ns} ...${{record:l,mode:$,site:a}} />`}
      </div>
      ${s.other&&u`<${Rs} ...${{unit:e,layer:s,site:a,slug:o,mode:$,meant:r}} />`}
      <div class="stack">
        ${l.histogram&&u`<section class="card" aria-labelledby="values-title">
          <h3 id="values-title">Values at all positions of all images</h3>
          <${en} ...${l.histogram} />
        </section>`}
        <${As} ...${{record:l,layer:s,site:a,state:i}} />
        ${l.matters&&u`<${Os} ...${l.matters} />`}
      </div>
    </div>
    ${l.similar.length+l.similar_weights.length>0&&u`<${Ts} ...${{record:l,data:n,layer:s,slug:o}} />`}
    <${Bs} ...${{unit:e,record:l,data:n,layer:s,site:a,slug:o}} />`:u`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function Es({unit:e,data:t}){let n=t.duplicates[e];return u`
    ${t.dead.includes(e)&&u`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&u`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&u`<a class="badge" href=${Le({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function ln({unit:e,data:t,record:n,layer:s}){let a=r=>t.columns[r]?.[e],o=[["maximum",k(a("max")),Ps(n,t)],["mean",k(a("mean"))],["fires in",q(a("fires")),"of the images"],["active at",q(a("active")),"of the positions"],["selectivity",k(a("selectivity"),2),"0 to 1"],["prominence",k(a("prominence"),2)]].filter(([,r])=>r!=="–");return u`<dl class="facts unit-facts">
    ${o.map(([r,i,l])=>u`<div key=${r}><dt>${r}</dt>
      <dd>${i} ${l&&u`<small>${l}</small>`}</dd></div>`)}
    ${s.field&&u`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function Ps({rank:e,tied:t},n){return`rank ${M(e)} of ${M(n.count)}${t>1?`, shared by ${M(t)}`:""}`}function cn({record:e,layer:t,mode:n,site:s,meant:a}){if(!t.has_patches)return u`<p class="note">The run has no patches of this layer.</p>`;if(!e.patches.length)return u`<p class="note">No image activates this unit, so it has no patches.</p>`;let o=e.patches[0].value,r=e.patches.map(({image:l})=>a.has(l?.label)),i=r.filter(Boolean).length;return u`${a.size>0&&u`<p class="note meant-note">${i} of ${e.patches.length} patches are of
    ${a.size===1?` “${s.classes[[...a][0]]}”`:" the classes in Find"}.</p>`}
  <ol class="patches is-${n}">
    ${e.patches.map((l,p)=>u`<li key=${p}>
      <${lt} ...${{patch:l,rank:p,mode:n,site:s,highest:o,guided:t.guided&&e.guided!==null?{...t.guided,row:e.guided,rank:p}:null,isMeant:!i||r[p]}} />
    </li>`)}
  </ol>
  ${n==="whole"&&u`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${n==="guided"&&u`<p class="note">Guided gradients are sharp, but depend little on the weights: they show which pixels the unit can see, not why it fires.</p>`}`}function Ns({record:e,mode:t,site:n}){let{peaks:s}=e;return s?u`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image</h3>
    <${tn} ...${s} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${s.strata.map(a=>u`<${Ls} key=${a.share} ...${{...a,mode:t,site:n,total:s.counts.reduce((o,r)=>o+r,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&u`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run does not hold the highest values of all images.</p></section>`}function Ls({share:e,examples:t,mode:n,site:s,total:a}){let[o]=W(()=>Promise.all(t.map(({row:l})=>l===null?null:ie(l))),[t]),r=t.map(({rank:l})=>l),i=`${M(r[0])}${r.length>1?`–${M(r.at(-1))}`:""}`;return u`<div>
    <h4>${rt(e)} <small>rank ${i} of ${M(a)}</small></h4>
    <ol class="examples">
      ${t.map((l,p)=>u`<li key=${p}><${lt} ...${{patch:{...l,image:o?.[p]??null},rank:l.rank-1,mode:n==="guided"?"crop":n,site:s,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function As({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return u`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return u`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let r=n.classes[o.class]??String(o.class),i=s.class===r;return u`<li key=${o.class}>
          <button type="button" aria-pressed=${String(i)} onClick=${()=>C({class:i?null:r})}>
            <span class="bar-name">${r}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${k(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function Os({images:e,set_to:t,classes:n}){let s=Math.max(...n.map(({drop:a})=>a));return u`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${n.length===0&&u`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${n.map(({name:a,drop:o})=>u`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/s} height="6" /></svg></span>
        <span class="bar-value">${k(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${M(e)} images`}.</p>
  </section>`}function Ts({record:e,data:t,layer:n,slug:s}){let a=e.patches.length;return u`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${on} title="by common top images" ...${{layer:n,slug:s}}
        entries=${e.similar.map(({unit:o,shared:r})=>[o,`${r} of ${a}`])} />
      <${on} title=${`by incoming weights (cosine, ${n.weights})`} ...${{layer:n,slug:s}}
        entries=${e.similar_weights.map(({unit:o,cosine:r})=>[o,r.toFixed(2)])} />
    </div>
  </section>`}function on({title:e,entries:t,layer:n,slug:s}){return t.length?u`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>u`<li key=${a}><a href=${Le({unit:a})}>
      <${Is} ...${{unit:a,layer:n,slug:s}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function Is({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile ${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return u`<span class=${o}></span>`}function Rs({unit:e,layer:t,site:n,slug:s,mode:a,meant:o}){let{other:r}=t,[i,l]=W(async()=>{if(e>=r.count)return null;let p=await I(`layer/${s}/other`);return{data:p,record:await De(s,e,p,"other")}},[e]);return l?u`<${B} error=${l} />`:i===void 0?null:u`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${r.run} (${r.model})</h3></div>
    ${i===null?u`<p class="note">This run has no such unit.</p>`:u`
      <${cn} ...${{record:{...i.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:n,meant:o}} />
      <${ln} ...${{unit:e,data:i.data,record:i.record,layer:{field:""}}} />`}
  </section>`}function Bs({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let r=`${s.shell} ${/^[\w.\-/]+$/.test(s.name)?s.name:`'${s.name.replaceAll("'","'\\''")}'`} --unit ${e}`,i=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,l=t.patches.map((c,h)=>[h+1,c.value,c.image?.name,c.image?.label===null?"":a.classes[c.image?.label],...c.position??["",""],...c.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],d=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([c,h])=>[c,h[e]])),m=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return u`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>et(`${d}.csv`,Bt(p,l),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>et(`${d}.json`,m(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${r}</code><${G} text=${r}>Copy<//>
      <code>${i}</code><${G} text=${i}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([c,h])=>u`<div key=${c}><dt>${c}</dt>
        <dd class="plain">${c==="weights"?u`<code>${h.slice(0,16)}</code>`:h}</dd></div>`)}
    </dl>
  </section>`}var Ds={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"},js=["class","sort","show","view"],un=4,je=(e,t)=>e.sort??(t?"lift":"unit");function Hs(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),r={all:()=>!0,alive:c=>!s.has(c),dead:c=>s.has(c),silent:c=>a.has(c),twins:c=>o.has(c)}[t.show]??(()=>!0),i=(t.class??"").trim(),l=c=>!i||String(c)===i||n&&n.lift[c]>=n.least,p=[...Array(e.count).keys()].filter(c=>r(c)&&l(c)),d=je(t,n),f=d==="lift"?n?.lift:e.columns[d];if(!f)return p;let m=(c,h,$)=>{let[_,y]=[c?.[h]??-1/0,c?.[$]??-1/0];return _===y?0:y-_};return p.sort((c,h)=>m(f,c,h)||m(e.columns.mean,c,h)||c-h)}var ct=class{constructor(t,n,s){this.list=t,this.data=n,this.site=s,this.dead=new Set(n.dead),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`unit  ${[...this.tiles.keys()].join()}`}show(t,n,s,a){let o=`${n} ${s?a:""} ${t.join()}`;if(o!==this.key){this.key=o;for(let r of t){let[,,i,l]=this.tiles.get(r).firstElementChild.children;i.textContent=this.textOf(r,n,s);let p=s&&s.lift[r]>=s.least?this.site.classes[s.best[r]]:"";this.setName(this.tiles.get(r).firstElementChild,l,p)}this.list.replaceChildren(...t.map(r=>this.tiles.get(r)))}}textOf(t,n,s){return n==="lift"?`${k(s.lift[t],2)} ×`:n!=="unit"?k(this.data.columns[n]?.[t]??this.data.columns.max[t]):this.dead.has(t)?"dead":k(this.data.columns.max[t])}setName(t,n,s){if(!s)return n?.remove();let a=n??t.appendChild(document.createElement("small"));a.textContent=s,a.title=s}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");let n=this.tiles.get(t)?.firstElementChild;if(!n)return;n.setAttribute("aria-current","true");let[s,a]=[n.getBoundingClientRect(),this.list.getBoundingClientRect()];(s.top<a.top||s.bottom>a.bottom)&&(this.list.scrollTop+=(s.top+s.bottom-a.top-a.bottom)/2)}};function Us(e,t){let n=[...t].map(a=>e.classes[a]),s=n.length-un;return s>1?`${n.slice(0,un).join(", ")} and ${s} more`:n.join(", ")}function Fs({site:e}){let t=Math.max(...(e.class_outputs??[]).map(o=>o??-1));if(t<0)return null;let n=[e.outputs[151],e.outputs[268]].map(o=>String(o??"").toLowerCase()),s=n[0].startsWith("chihuahua")&&n[1].startsWith("mexican hairless"),a=s?"151-268":`0-${Math.min(t,9)}`;return u`, or outputs of the model: <button type="button" class="quiet inline"
    onClick=${()=>C({class:a})}>${a}</button>${s&&" are the dogs of ImageNet"}`}function Ws({site:e,layer:t,meant:n,match:s}){let a=u`Several: <code>*terrier, *hound</code><${Fs} site=${e} />.`;if(!n.labels.size&&!n.unknown.length)return null;let o=i=>i.map(l=>`“${l}”`).join(", "),r=`convviz.open_run(${JSON.stringify(t.run)}).units(${JSON.stringify(t.name)}, ${JSON.stringify(n.patterns)}, ${JSON.stringify(t.lifts_from)})`;return u`<p class="note class-note">
    ${n.unknown.length>0&&u`No class with images matches ${o(n.unknown)}. `}
    ${n.parts.length>0&&u`No class has the word ${o(n.parts)}; parts of names match. `}
    ${n.labels.size>0&&u`${n.labels.size>1?`${M(n.labels.size)} classes`:"Class"}: <b>${Us(e,n.labels)}</b>${s&&` (${M(s.images)} ${s.images===1?"image":"images"})`}. `}
    ${(n.unknown.length>0||n.parts.length>0)&&a}
    ${n.labels.size>0&&u` <${G} text=${r}>Copy Python<//>`}</p>`}function zs({data:e,layer:t,sorts:n,site:s,units:a,counts:o,meant:r,match:i}){let l=H(),p=j(null);J({"/":()=>p.current?.focus()});let d=Object.entries(Ds).filter(([$])=>$==="all"||o[$]),f=i?"lift":"unit",m=Object.entries(i?{lift:"lift of the class",...n}:n),c=l.class??"",h=$=>C({class:$,...c?{}:{sort:null}},{replace:!0});return u`
    <label class="field">Sort by
      <select id="sort" value=${je(l,i)}
        onChange=${$=>C({sort:$.target.value===f?null:$.target.value})}>
        ${m.map(([$,_])=>u`<option key=${$} value=${$}>${_}</option>`)}
      </select>
    </label>
    ${d.length>1&&u`<label class="field">Show
      <select id="show" value=${l.show??"all"}
        onChange=${$=>C({show:$.target.value==="all"?null:$.target.value})}>
        ${d.map(([$,_])=>u`<option key=${$} value=${$}>${_}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${p} value=${c} list="class-names"
        placeholder=${o.classes.length?"classes or number":"number"} onInput=${$=>h($.target.value)} />
    </label>
    <datalist id="class-names">
      ${Qt(s,o.classes,c).map($=>u`<option key=${$} value=${$}></option>`)}
    </datalist>
    <span class="muted small" role="status">${a.length===e.count?"":`${a.length} of ${e.count} units`}</span>
    <${Ws} ...${{site:s,layer:t,meant:r,match:i}} />`}function qs(e,t,n,s,a){let o=t==="lift"?"lift":t==="unit"?n.max??"maximum":n[t]??"maximum",r=s?", and the class with the highest lift":"",i=t==="lift"?` Lift: ${a.meaning.split(";")[0]}.`:"";e.textContent=`Below: number of the unit, ${o}${r}.${i}`}function Ks(e){let t=js.filter(s=>e[s]).map(s=>[s,e[s]]),n=t.length?`#${new URLSearchParams(t)}`:"";for(let s of document.querySelectorAll(".layers a"))s.href=s.getAttribute("href").split("#")[0]+n}async function dn(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,r;try{[a,o,r]=await Promise.all([re(),I(`layer/${s}/units`),I(`layer/${s}/layer`)])}catch($){return U(u`<${B} error=${$} />`,t),T()}let i=new ct(document.getElementById("sheet"),o,a),l={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:o.with_images},p=JSON.parse(t.dataset.sorts),d=document.getElementById("sheet-numbers"),f,m,c=()=>I(`layer/${s}/classes`).then($=>f=new Re($,o.count),$=>m=$),h=()=>{let $=de(),_=Yt(a,l.classes,$.class);if(_.labels.size&&!f&&!m)return void c().then(h);let y=_.labels.size&&f?f.of(_.labels):null,g=Hs(o,$,y),v=/^\d+$/.test($.unit??"")&&Number($.unit)<o.count?Number($.unit):null;i.show(g,je($,y),y,$.class),qs(d,je($,y),p,y,r),Ks($),e.classList.toggle("split",v!==null),n.hidden=v===null,i.mark(v),U(m?u`<${B} error=${m} />`:u`<${zs} ...${{data:o,layer:r,sorts:p,site:a,units:g,counts:l,meant:_,match:y}} />`,t),U(v===null?null:u`<${rn} ...${{unit:v,units:g,data:o,layer:r,site:a,slug:s,meant:_.labels}} />`,n),v===null&&T()};i.list.addEventListener("click",$=>{let _=$.target.closest("a[data-unit]");!_||$.ctrlKey||$.metaKey||$.shiftKey||($.preventDefault(),C({unit:_.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),i.list.addEventListener("pointerover",$=>{let _=$.target.closest("a[data-unit]");_&&an(s,Number(_.dataset.unit),o)}),$e(h),h()}var Vs=()=>{Oe(),T()},Js={benchmark:Vs,dataset:jt,image:Vt,images:Zt,layer:dn},pn=Js[document.body.dataset.page];pn?pn():T();})();
